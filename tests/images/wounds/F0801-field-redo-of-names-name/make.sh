# redo of names, name: 6c61696e instead of 6d61696e at byte 1118274; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 1118208 '\344\164\031\207'
put 1118274 '\154'
put 1122304 '\320\234\300\240'
put 1122312 '\344\164\031\207'
put 1126400 '\174\270\062\065'
put 1126408 '\320\234\300\240'
put 1130496 '\175\310\312\214'
put 1130504 '\174\270\062\065'
