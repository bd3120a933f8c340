# release of a node, kind: 03 instead of 02 at byte 536240; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\004\242\314\247'
put 20476 '\337\331\304\145'
put 49272 '\004\242\314\247'
put 53244 '\337\331\304\145'
put 66580 '\255\134\003\064'
put 327680 '\020\026\143\151'
put 331776 '\020\026\143\151'
put 532480 '\255\134\003\064'
put 536240 '\003'
