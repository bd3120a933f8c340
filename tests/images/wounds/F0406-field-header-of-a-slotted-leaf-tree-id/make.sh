# header of a slotted leaf, tree id: 0100000000000000 instead of 0000000000000000 at byte 512024; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\020\343\352\341'
put 20476 '\172\103\331\222'
put 49272 '\020\343\352\341'
put 53244 '\172\103\331\222'
put 66540 '\311\316\103\346'
put 335872 '\144\074\300\103'
put 339968 '\144\074\300\103'
put 512000 '\311\316\103\346'
put 512024 '\001'
