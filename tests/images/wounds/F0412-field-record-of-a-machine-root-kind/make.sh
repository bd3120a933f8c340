# record of a machine, root: kind: 05 instead of 04 at byte 515974; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\243\034\263\124'
put 20476 '\067\350\360\236'
put 49272 '\243\034\263\124'
put 53244 '\067\350\360\236'
put 66540 '\243\116\313\260'
put 327680 '\024\267\244\127'
put 331776 '\024\267\244\127'
put 512000 '\243\116\313\260'
put 515974 '\005'
