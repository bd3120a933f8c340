# header of an inner node, stamp: 2700000000000000 instead of 2600000000000000 at byte 524304; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\026\331\374\015'
put 20476 '\306\100\112\341'
put 49272 '\026\331\374\015'
put 53244 '\306\100\112\341'
put 66564 '\071\150\346\343'
put 335872 '\065\127\122\236'
put 339968 '\065\127\122\236'
put 524288 '\071\150\346\343'
put 524304 '\047'
