# release of an extent, stamp: 0800000000000000 instead of 0900000000000000 at byte 536207; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\144\115\373\123'
put 20476 '\351\307\232\146'
put 49272 '\144\115\373\123'
put 53244 '\351\307\232\146'
put 66580 '\217\065\072\227'
put 327680 '\146\061\305\303'
put 331776 '\146\061\305\303'
put 532480 '\217\065\072\227'
put 536207 '\010'
