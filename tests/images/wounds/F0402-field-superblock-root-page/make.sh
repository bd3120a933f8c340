# superblock, root: page: 830000000000 instead of 820000000000 at byte 16464; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16464 '\203'
put 20476 '\204\101\163\070'
put 49232 '\203'
put 53244 '\204\101\163\070'
