# header of an inner node, count: 0300 instead of 0200 at byte 524294; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\076\065\126\326'
put 20476 '\277\211\132\006'
put 49272 '\076\065\126\326'
put 53244 '\277\211\132\006'
put 66564 '\150\352\354\053'
put 335872 '\225\213\021\137'
put 339968 '\225\213\021\137'
put 524288 '\150\352\354\053'
put 524294 '\003'
