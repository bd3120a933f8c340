# release of a node, tag: 01 instead of 00 at byte 536233; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\311\365\054\244'
put 20476 '\104\235\100\315'
put 49272 '\311\365\054\244'
put 53244 '\104\235\100\315'
put 66580 '\145\067\074\257'
put 335872 '\065\010\123\134'
put 339968 '\065\010\123\134'
put 532480 '\145\067\074\257'
put 536233 '\001'
