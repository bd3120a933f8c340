# map entry of a node, crc: 6dd706c3 instead of 6cd706c3 at byte 66540; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\374\005\205\131'
put 20476 '\231\172\372\135'
put 49272 '\374\005\205\131'
put 53244 '\231\172\372\135'
put 66540 '\155'
put 335872 '\166\257\013\025'
put 339968 '\166\257\013\025'
