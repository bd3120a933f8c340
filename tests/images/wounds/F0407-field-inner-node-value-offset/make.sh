# inner node, value offset: e70f instead of e60f at byte 524364; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\006\166\240\114'
put 20476 '\206\075\365\374'
put 49272 '\006\166\240\114'
put 53244 '\206\075\365\374'
put 66564 '\044\370\015\215'
put 335872 '\147\177\373\124'
put 339968 '\147\177\373\124'
put 524288 '\044\370\015\215'
put 524364 '\347'
