# record of a machine, root: page: 7a0000000000 instead of 7b0000000000 at byte 515968; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\250\357\134\334'
put 20476 '\171\224\356'
put 49272 '\250\357\134\334'
put 53244 '\171\224\356'
put 66540 '\137\042\371\360'
put 335872 '\121\361\306\215'
put 339968 '\121\361\306\215'
put 512000 '\137\042\371\360'
put 515968 '\172'
