# directory entry, zero: 010000000000 instead of 000000000000 at byte 335882; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\366\123\134\336'
put 20476 '\132\223\030\001'
put 49272 '\366\123\134\336'
put 53244 '\132\223\030\001'
put 335882 '\001'
put 339978 '\001'
