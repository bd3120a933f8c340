# header of a slotted leaf, crc: dcf69825 instead of ddf69825 at byte 512000; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 512000 '\334'
