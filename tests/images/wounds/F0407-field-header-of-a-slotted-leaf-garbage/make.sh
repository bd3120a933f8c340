# header of a slotted leaf, garbage: 01000000 instead of 00000000 at byte 512052; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\131\163\330\140'
put 20476 '\067\352\000\014'
put 49272 '\131\163\330\140'
put 53244 '\067\352\000\014'
put 66540 '\045\154\140\101'
put 335872 '\141\137\272\060'
put 339968 '\141\137\272\060'
put 512000 '\045\154\140\101'
put 512052 '\001'
