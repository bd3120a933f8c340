# superblock, page size: 01100000 instead of 00100000 at byte 16396; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16396 '\001'
put 20476 '\123\010\375\026'
put 49164 '\001'
put 53244 '\123\010\375\026'
