# superblock, log page: fd00000000000000 instead of fc00000000000000 at byte 16512; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 16512 '\375'
put 20476 '\100\257\273\313'
put 49280 '\375'
put 53244 '\100\257\273\313'
