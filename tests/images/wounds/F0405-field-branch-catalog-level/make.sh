# branch, catalog: level: 01 instead of 00 at byte 536414; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\243\034\263\124'
put 20476 '\067\350\360\236'
put 49272 '\243\034\263\124'
put 53244 '\067\350\360\236'
put 66580 '\046\043\121\255'
put 327680 '\024\267\244\127'
put 331776 '\024\267\244\127'
put 532480 '\046\043\121\255'
put 536414 '\001'
