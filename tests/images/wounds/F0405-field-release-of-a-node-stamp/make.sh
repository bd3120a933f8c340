# release of a node, stamp: 0800000000000000 instead of 0900000000000000 at byte 536242; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\204'
put 16506 '\306\153'
put 20476 '\152\320\176\364'
put 49272 '\204'
put 49274 '\306\153'
put 53244 '\152\320\176\364'
put 66580 '\345\377\357\121'
put 327680 '\332\361\243\241'
put 331776 '\332\361\243\241'
put 532480 '\345\377\357\121'
put 536242 '\010'
