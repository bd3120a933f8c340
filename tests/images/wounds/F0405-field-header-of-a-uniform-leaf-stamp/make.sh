# header of a uniform leaf, stamp: 2700000000000000 instead of 2600000000000000 at byte 520208; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\063\126\305\173'
put 20476 '\065\044\325\321'
put 49272 '\063\126\305\173'
put 53244 '\065\044\325\321'
put 66556 '\223\164\000\213'
put 335872 '\356\036\212\320'
put 339968 '\356\036\212\320'
put 520192 '\223\164\000\213'
put 520208 '\047'
