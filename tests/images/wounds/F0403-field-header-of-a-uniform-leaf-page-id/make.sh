# header of a uniform leaf, page id: 7e00000000000000 instead of 7f00000000000000 at byte 520200; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\020\343\352\341'
put 20476 '\172\103\331\222'
put 49272 '\020\343\352\341'
put 53244 '\172\103\331\222'
put 66556 '\010\335\237\245'
put 335872 '\144\074\300\103'
put 339968 '\144\074\300\103'
put 520192 '\010\335\237\245'
put 520200 '\176'
