# release of an extent, stamp: 0800000000000000 instead of 0900000000000000 at byte 536207; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\104\051\011\116'
put 20476 '\373\376\006\245'
put 49272 '\104\051\011\116'
put 53244 '\373\376\006\245'
put 66580 '\201\201\007\055'
put 335872 '\205\346\314\023'
put 339968 '\205\346\314\023'
put 532480 '\201\201\007\055'
put 536207 '\010'
