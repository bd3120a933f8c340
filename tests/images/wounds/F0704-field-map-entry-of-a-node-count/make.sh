# map entry of a node, count: 00000000 instead of 01000000 at byte 66536; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\144\173\200\334'
put 20476 '\335\361\324\327'
put 49256 '\113'
put 49272 '\144\173\200\334'
put 53244 '\335\361\324\327'
put 66536 '\000'
put 327680 '\102\326\110\266\107'
put 331776 '\102\326\110\266\107'
