# release of a raw page, page: 7a0000000000 instead of 7b0000000000 at byte 536182; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\052\103\000\160'
put 20476 '\002\116\176\234'
put 49272 '\052\103\000\160'
put 53244 '\002\116\176\234'
put 66580 '\006\117\154\263'
put 335872 '\216\152\301\006'
put 339968 '\216\152\301\006'
put 532480 '\006\117\154\263'
put 536182 '\172'
