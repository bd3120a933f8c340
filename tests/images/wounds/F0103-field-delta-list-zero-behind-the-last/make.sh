# delta list, zero behind the last: 0100000000000000… instead of 0000000000000000… at byte 16912; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16912 '\001'
put 20476 '\235\321\307\075'
put 49680 '\001'
put 53244 '\235\321\307\075'
