# child in an inner node, pages: 00000000 instead of 01000000 at byte 528380; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\122\237\067\065'
put 20476 '\222\242\304\233'
put 49272 '\122\237\067\065'
put 53244 '\222\242\304\233'
put 66564 '\002\004\005\035'
put 335872 '\132\015\221\061'
put 339968 '\132\015\221\061'
put 524288 '\002\004\005\035'
put 528380 '\000'
