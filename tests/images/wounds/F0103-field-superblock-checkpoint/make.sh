# superblock, checkpoint: 0400000000000000 instead of 0500000000000000 at byte 16432; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16432 '\004'
put 20476 '\126\201\130\021'
put 49200 '\004'
put 53244 '\126\201\130\021'
