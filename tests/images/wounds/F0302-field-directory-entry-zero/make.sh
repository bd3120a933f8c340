# directory entry, zero: 010000000000 instead of 000000000000 at byte 327690; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\326\067\256\303'
put 20476 '\110\252\204\302'
put 49272 '\326\067\256\303'
put 53244 '\110\252\204\302'
put 327690 '\001'
put 331786 '\001'
