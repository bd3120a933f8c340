# superblock, delta counts: 00000000 instead of 01000000 at byte 16560; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16560 '\000'
put 20476 '\257\334\351\041'
put 49328 '\000'
put 53244 '\257\334\351\041'
