# record of a machine, root: page: 7a0000000000 instead of 7b0000000000 at byte 515968; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\210\213\256\301'
put 20476 '\153\255\162'
put 49272 '\210\213\256\301'
put 53244 '\153\255\162'
put 66540 '\356\003\147\026'
put 327680 '\262\046\317\135'
put 331776 '\262\046\317\135'
put 512000 '\356\003\147\026'
put 515968 '\172'
