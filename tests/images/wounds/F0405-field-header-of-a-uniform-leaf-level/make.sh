# header of a uniform leaf, level: 01 instead of 00 at byte 520197; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\167\143\115\345'
put 20476 '\243\277\055\336'
put 49272 '\167\143\115\345'
put 53244 '\243\277\055\336'
put 66556 '\205\365\213\236'
put 327680 '\157\043\126\240'
put 331776 '\157\043\126\240'
put 520192 '\205\365\213\236'
put 520197 '\001'
