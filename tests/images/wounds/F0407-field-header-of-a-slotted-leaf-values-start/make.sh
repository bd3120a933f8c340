# header of a slotted leaf, values start: 810f0000 instead of 800f0000 at byte 512048; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\276\204\245\265'
put 20476 '\104\044\330\231'
put 49272 '\276\204\245\265'
put 53244 '\104\044\330\231'
put 66540 '\266\336\236\072'
put 327680 '\012\201\230\170'
put 331776 '\012\201\230\170'
put 512000 '\266\336\236\072'
put 512048 '\201'
