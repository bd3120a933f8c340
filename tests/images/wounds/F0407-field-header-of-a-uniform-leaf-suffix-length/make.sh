# header of a uniform leaf, suffix length: 0b00 instead of 0a00 at byte 520248; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\371\050\115\102'
put 20476 '\146\343\151\124'
put 49272 '\371\050\115\102'
put 53244 '\146\343\151\124'
put 66556 '\254\102\077\152'
put 335872 '\352\072\354\051'
put 339968 '\352\072\354\051'
put 520192 '\254\102\077\152'
put 520248 '\013'
