# superblock, log generation: 0700000000000000 instead of 0600000000000000 at byte 16552; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 16552 '\007'
put 20476 '\166\010\204\100'
put 49320 '\007'
put 53244 '\166\010\204\100'
