# superblock, free: 4b01000000000000 instead of 4a01000000000000 at byte 16488; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 20476 '\121\253\306\046'
put 49256 '\113'
put 53244 '\121\253\306\046'
