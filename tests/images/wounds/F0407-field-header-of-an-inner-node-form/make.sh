# header of an inner node, form: 0100 instead of 0000 at byte 524330; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\235\136\165\010'
put 20476 '\340\314\314\371'
put 49272 '\235\136\165\010'
put 53244 '\340\314\314\371'
put 66564 '\252\103\052\004'
put 335872 '\114\170\143\260'
put 339968 '\114\170\143\260'
put 524288 '\252\103\052\004'
put 524330 '\001'
