# header of a uniform leaf, page id: 7e00000000000000 instead of 7f00000000000000 at byte 520200; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\060\207\030\374'
put 20476 '\150\172\105\121'
put 49272 '\060\207\030\374'
put 53244 '\150\172\105\121'
put 66556 '\130\037\172\146'
put 327680 '\207\353\311\223'
put 331776 '\207\353\311\223'
put 520192 '\130\037\172\146'
put 520200 '\176'
