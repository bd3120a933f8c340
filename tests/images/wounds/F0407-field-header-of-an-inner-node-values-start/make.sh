# header of an inner node, values start: cd0f0000 instead of cc0f0000 at byte 524336; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\371\050\115\102'
put 20476 '\146\343\151\124'
put 49272 '\371\050\115\102'
put 53244 '\146\343\151\124'
put 66564 '\014\113\277\272'
put 335872 '\352\072\354\051'
put 339968 '\352\072\354\051'
put 524288 '\014\113\277\272'
put 524336 '\315'
