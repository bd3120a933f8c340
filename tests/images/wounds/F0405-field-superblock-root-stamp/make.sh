# superblock, root: stamp: 2900000000000000 instead of 2800000000000000 at byte 16472; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16472 '\051'
put 20476 '\350\267\245\316'
put 49240 '\051'
put 53244 '\350\267\245\316'
