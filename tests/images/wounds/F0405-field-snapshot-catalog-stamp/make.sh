# snapshot, catalog: stamp: 0800000000000000 instead of 0900000000000000 at byte 536114; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\053\002\075\277'
put 20476 '\114\005\147\344'
put 49272 '\053\002\075\277'
put 53244 '\114\005\147\344'
put 66580 '\266\267\036\173'
put 327680 '\360\342\372\161'
put 331776 '\360\342\372\161'
put 532480 '\266\267\036\173'
put 536114 '\010'
