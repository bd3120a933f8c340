# release of a raw page, level: 07 instead of 06 at byte 536189; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\314\053\200\243'
put 20476 '\206\334\076\352'
put 49272 '\314\053\200\243'
put 53244 '\206\334\076\352'
put 66580 '\161\222\354\357'
put 327680 '\352\360\223\152'
put 331776 '\352\360\223\152'
put 532480 '\161\222\354\357'
put 536189 '\007'
