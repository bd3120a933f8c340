# header of an inner node, crc: 6663b9a5 instead of 6763b9a5 at byte 524288; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 524288 '\146'
