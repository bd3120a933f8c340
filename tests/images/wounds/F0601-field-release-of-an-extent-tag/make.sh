# release of an extent, tag: 00 instead of 01 at byte 536198; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\010\147\216\222'
put 20476 '\260\254\247\103'
put 49272 '\010\147\216\222'
put 53244 '\260\254\247\103'
put 66580 '\353\266\135\263'
put 335872 '\005\253\377\045'
put 339968 '\005\253\377\045'
put 532480 '\353\266\135\263'
put 536198 '\000'
