# map entry of an extent's first page, crc: 56b6d65b instead of 57b6d65b at byte 66988; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\333\112\353\354'
put 20476 '\214\002\037\204'
put 49272 '\333\112\353\354'
put 53244 '\214\002\037\204'
put 66988 '\126'
put 335872 '\063\242\202\366'
put 339968 '\063\242\202\366'
