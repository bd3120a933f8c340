# snapshot, lineage: last stamp: 0d00000000000000 instead of 0c00000000000000 at byte 536173; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\143\306\036\361'
put 20476 '\355\376\152\220'
put 49272 '\143\306\036\361'
put 53244 '\355\376\152\220'
put 66580 '\112\125\245\312'
put 327680 '\106\200\373\101'
put 331776 '\106\200\373\101'
put 532480 '\112\125\245\312'
put 536173 '\015'
