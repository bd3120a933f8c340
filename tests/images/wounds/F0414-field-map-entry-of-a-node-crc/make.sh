# map entry of a node, crc: dcf69825 instead of ddf69825 at byte 66540; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\334\141\167\104'
put 20476 '\213\103\146\236'
put 49272 '\334\141\167\104'
put 53244 '\213\103\146\236'
put 66540 '\334'
put 327680 '\225\170\002\305'
put 331776 '\225\170\002\305'
