# record of a table, root: stamp: 0800000000000000 instead of 0900000000000000 at byte 516008; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\125\134\253\232'
put 20476 '\353\152\367\125'
put 49272 '\125\134\253\232'
put 53244 '\353\152\367\125'
put 66540 '\304\276\135\162'
put 327680 '\227\372\117\170'
put 331776 '\227\372\117\170'
put 512000 '\304\276\135\162'
put 516008 '\010'
