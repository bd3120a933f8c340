# directory entry, slot: 01 instead of 00 at byte 335880; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\043\107\261\020'
put 20476 '\065\010\072\261'
put 49272 '\043\107\261\020'
put 53244 '\065\010\072\261'
put 335880 '\001'
put 339976 '\001'
