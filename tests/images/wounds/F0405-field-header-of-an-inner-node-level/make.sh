# header of an inner node, level: 00 instead of 01 at byte 524293; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\320\230\327\360'
put 20476 '\104\375\175\105'
put 49272 '\320\230\327\360'
put 53244 '\104\375\175\105'
put 66564 '\177\053\210\065'
put 335872 '\347\204\106\255'
put 339968 '\347\204\106\255'
put 524288 '\177\053\210\065'
put 524293 '\000'
