# header of a slotted leaf, crc: 6dd706c3 instead of 6cd706c3 at byte 512000; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 512000 '\155'
