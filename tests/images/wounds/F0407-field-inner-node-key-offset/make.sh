# inner node, key offset: 0100 instead of 0000 at byte 524368; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\172\247\371\176'
put 20476 '\041\336\257\355'
put 49272 '\172\247\371\176'
put 53244 '\041\336\257\355'
put 66564 '\013\013\152\120'
put 327680 '\303\217\063\253'
put 331776 '\303\217\063\253'
put 524288 '\013\013\152\120'
put 524368 '\001'
