# branch, incoming: 0000000000000000 instead of 0100000000000000 at byte 536568; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\344\343\277\054'
put 20476 '\341\167\365\306'
put 49272 '\344\343\277\054'
put 53244 '\341\167\365\306'
put 66580 '\052'
put 66582 '\263\064'
put 335872 '\177\355\155\131'
put 339968 '\177\355\155\131'
put 532480 '\052'
put 532482 '\263\064'
put 536568 '\000'
