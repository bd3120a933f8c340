# superblock, map slot: 01 instead of 00 at byte 16500; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16500 '\001'
put 20476 '\115\272\253\177'
put 49268 '\001'
put 53244 '\115\272\253\177'
