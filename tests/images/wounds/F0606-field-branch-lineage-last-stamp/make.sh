# branch, lineage: last stamp: feffffffffffffff instead of ffffffffffffffff at byte 536560; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\116\245\007\242'
put 20476 '\000\277\103\024'
put 49272 '\116\245\007\242'
put 53244 '\000\277\103\024'
put 66580 '\053\113\114\354'
put 327680 '\165\206\302\222'
put 331776 '\165\206\302\222'
put 532480 '\053\113\114\354'
put 536560 '\376'
