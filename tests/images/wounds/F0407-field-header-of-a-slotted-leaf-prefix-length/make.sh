# header of a slotted leaf, prefix length: 0100 instead of 0000 at byte 512040; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\026\331\374\015'
put 20476 '\306\100\112\341'
put 49272 '\026\331\374\015'
put 53244 '\306\100\112\341'
put 66540 '\064\377\074\206'
put 335872 '\065\127\122\236'
put 339968 '\065\127\122\236'
put 512000 '\064\377\074\206'
put 512040 '\001'
