# inner node, first head: 01000000 instead of 00000000 at byte 524352; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\362\004\037\263'
put 20476 '\062\054\366\110'
put 49272 '\362\004\037\263'
put 53244 '\062\054\366\110'
put 66564 '\217\173\106\246'
put 335872 '\064\301\004\207'
put 339968 '\064\301\004\207'
put 524288 '\217\173\106\246'
put 524352 '\001'
