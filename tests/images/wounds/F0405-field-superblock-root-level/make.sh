# superblock, root: level: 01 instead of 00 at byte 16471; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16471 '\001'
put 20476 '\055\306\272\260'
put 49239 '\001'
put 53244 '\055\306\272\260'
