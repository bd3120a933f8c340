# header of a uniform leaf, crc: 9cbdba0e instead of 9dbdba0e at byte 520192; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 520192 '\234'
