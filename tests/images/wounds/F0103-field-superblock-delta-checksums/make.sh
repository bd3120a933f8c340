# superblock, delta checksums: 00000000 instead of 01000000 at byte 16564; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16564 '\000'
put 20476 '\372\067\073\243'
put 49332 '\000'
put 53244 '\372\067\073\243'
