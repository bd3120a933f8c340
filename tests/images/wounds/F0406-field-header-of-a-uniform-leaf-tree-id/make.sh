# header of a uniform leaf, tree id: 0000070000000000 instead of 0100070000000000 at byte 520216; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\026\331\374\015'
put 20476 '\306\100\112\341'
put 49272 '\026\331\374\015'
put 53244 '\306\100\112\341'
put 66556 '\150\146\032\350'
put 335872 '\065\127\122\236'
put 339968 '\065\127\122\236'
put 520192 '\150\146\032\350'
put 520216 '\000'
