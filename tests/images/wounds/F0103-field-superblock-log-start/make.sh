# superblock, log start: 0100210000000000 instead of 0000210000000000 at byte 16528; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 16528 '\001'
put 20476 '\344\010\043\371'
put 49296 '\001'
put 53244 '\344\010\043\371'
