# superblock, map depth: 00000000 instead of 01000000 at byte 16496; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16496 '\000'
put 20476 '\277\030\052\173'
put 49264 '\000'
put 53244 '\277\030\052\173'
