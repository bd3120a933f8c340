# superblock, map depth: 00000000 instead of 01000000 at byte 16496; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16496 '\000'
put 20476 '\255\041\266\270'
put 49264 '\000'
put 53244 '\255\041\266\270'
