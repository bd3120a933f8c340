# branch, length of the last snapshot: 0100 instead of 0000 at byte 536533; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\250\142\234\220'
put 20476 '\135\055\152\331'
put 49272 '\250\142\234\220'
put 53244 '\135\055\152\331'
put 66580 '\101\054\067\005'
put 327680 '\306\226\056\351'
put 331776 '\306\226\056\351'
put 532480 '\101\054\067\005'
put 536533 '\001'
