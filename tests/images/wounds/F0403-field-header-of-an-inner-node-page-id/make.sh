# header of an inner node, page id: 8100000000000000 instead of 8000000000000000 at byte 524296; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\063\126\305\173'
put 20476 '\065\044\325\321'
put 49272 '\063\126\305\173'
put 53244 '\065\044\325\321'
put 66564 '\242\301\171\315'
put 335872 '\356\036\212\320'
put 339968 '\356\036\212\320'
put 524288 '\242\301\171\315'
put 524296 '\201'
