# inner node, key offset: 0100 instead of 0000 at byte 524368; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\132\303\013\143'
put 20476 '\063\347\063\056'
put 49272 '\132\303\013\143'
put 53244 '\063\347\063\056'
put 66564 '\133\311\217\223'
put 335872 '\040\130\072\173'
put 339968 '\040\130\072\173'
put 524288 '\133\311\217\223'
put 524368 '\001'
