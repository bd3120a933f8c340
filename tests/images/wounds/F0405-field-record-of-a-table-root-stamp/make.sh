# record of a table, root: stamp: 0800000000000000 instead of 0900000000000000 at byte 516008; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\165\070\131\207'
put 20476 '\371\123\153\226'
put 49272 '\165\070\131\207'
put 53244 '\371\123\153\226'
put 66540 '\165\237\303\224'
put 335872 '\164\055\106\250'
put 339968 '\164\055\106\250'
put 512000 '\165\237\303\224'
put 516008 '\010'
