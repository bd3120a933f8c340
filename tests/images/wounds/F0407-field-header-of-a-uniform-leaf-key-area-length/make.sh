# header of a uniform leaf, key area length: 85000000 instead of 84000000 at byte 520236; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16505 '\272\342\270'
put 20476 '\346\235\075\032'
put 49273 '\272\342\270'
put 53244 '\346\235\075\032'
put 66556 '\264\160\221\017'
put 327680 '\147\163\344\312'
put 331776 '\147\163\344\312'
put 520192 '\264\160\221\017'
put 520236 '\205'
