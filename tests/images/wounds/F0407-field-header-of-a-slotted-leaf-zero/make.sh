# header of a slotted leaf, zero: 01000000 instead of 00000000 at byte 512060; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16505 '\272\342\270'
put 20476 '\346\235\075\032'
put 49273 '\272\342\270'
put 53244 '\346\235\075\032'
put 66540 '\012\301\113\056'
put 327680 '\147\163\344\312'
put 331776 '\147\163\344\312'
put 512000 '\012\301\113\056'
put 512060 '\001'
