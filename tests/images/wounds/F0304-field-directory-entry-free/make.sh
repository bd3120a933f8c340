# directory entry, free: 47000000 instead of 46000000 at byte 335876; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\370\114\215\153'
put 20476 '\133\300\122\312'
put 49272 '\370\114\215\153'
put 53244 '\133\300\122\312'
put 335876 '\107'
put 339972 '\107'
