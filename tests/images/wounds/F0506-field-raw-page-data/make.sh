# raw page, data: aa00000000000000… instead of ab00000000000000… at byte 380928; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16505 '\072\366\262'
put 20476 '\371\113\050\007'
put 49273 '\072\366\262'
put 53244 '\371\113\050\007'
put 66284 '\066\343\215\310'
put 335872 '\067\057\155\350'
put 339968 '\067\057\155\350'
put 380928 '\252'
