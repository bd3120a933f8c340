# bookmark, length of the snapshot: 0700 instead of 0600 at byte 536291; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\215\227\361\367'
put 20476 '\310\120\200\074'
put 49272 '\215\227\361\367'
put 53244 '\310\120\200\074'
put 66580 '\065\160\350\076'
put 327680 '\044\060\116\242'
put 331776 '\044\060\116\242'
put 532480 '\065\160\350\076'
put 536291 '\007'
