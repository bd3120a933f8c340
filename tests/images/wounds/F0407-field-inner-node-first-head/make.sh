# inner node, first head: 01000000 instead of 00000000 at byte 524352; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\322\140\355\256'
put 20476 '\040\025\152\213'
put 49272 '\322\140\355\256'
put 53244 '\040\025\152\213'
put 66564 '\337\271\243\145'
put 327680 '\327\026\015\127'
put 331776 '\327\026\015\127'
put 524288 '\337\271\243\145'
put 524352 '\001'
