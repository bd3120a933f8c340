# header of a slotted leaf, tree id: 0100000000000000 instead of 0000000000000000 at byte 512024; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\060\207\030\374'
put 20476 '\150\172\105\121'
put 49272 '\060\207\030\374'
put 53244 '\150\172\105\121'
put 66540 '\170\357\335\000'
put 327680 '\207\353\311\223'
put 331776 '\207\353\311\223'
put 512000 '\170\357\335\000'
put 512024 '\001'
