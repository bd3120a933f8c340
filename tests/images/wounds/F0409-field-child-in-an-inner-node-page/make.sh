# child in an inner node, page: 7f0000000000 instead of 7e0000000000 at byte 528358; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\221\270\244\165'
put 20476 '\224\263\247\113'
put 49272 '\221\270\244\165'
put 53244 '\224\263\247\113'
put 66564 '\240\007\101\201'
put 327680 '\377\032\346\212'
put 331776 '\377\032\346\212'
put 524288 '\240\007\101\201'
put 528358 '\177'
