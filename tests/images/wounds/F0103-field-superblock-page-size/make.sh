# superblock, page size: 01100000 instead of 00100000 at byte 16396; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16396 '\001'
put 20476 '\101\061\141\325'
put 49164 '\001'
put 53244 '\101\061\141\325'
