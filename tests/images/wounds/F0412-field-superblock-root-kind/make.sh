# superblock, root: kind: 00 instead of 01 at byte 16470; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16470 '\000'
put 20476 '\143\357\312\133'
put 49238 '\000'
put 53244 '\143\357\312\133'
