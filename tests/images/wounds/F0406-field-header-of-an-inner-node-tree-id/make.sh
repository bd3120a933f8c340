# header of an inner node, tree id: 0000070000000000 instead of 0100070000000000 at byte 524312; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\276\204\245\265'
put 20476 '\104\044\330\231'
put 49272 '\276\204\245\265'
put 53244 '\104\044\330\231'
put 66564 '\222\270\031\103'
put 327680 '\012\201\230\170'
put 331776 '\012\201\230\170'
put 524288 '\222\270\031\103'
put 524312 '\000'
