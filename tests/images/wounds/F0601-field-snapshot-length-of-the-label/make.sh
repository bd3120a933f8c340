# snapshot, length of the label: 0100 instead of 0000 at byte 536152; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\347\246\177\254'
put 20476 '\042\124\004\331'
put 49272 '\347\246\177\254'
put 53244 '\042\124\004\331'
put 66580 '\124\035\375\273'
put 327680 '\203\173\261\253'
put 331776 '\203\173\261\253'
put 532480 '\124\035\375\273'
put 536152 '\001'
