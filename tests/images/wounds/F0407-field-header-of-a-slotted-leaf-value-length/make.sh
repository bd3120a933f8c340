# header of a slotted leaf, value length: 0100 instead of 0000 at byte 512058; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\203\265\210\324'
put 20476 '\366\335\237\372'
put 49272 '\203\265\210\324'
put 53244 '\366\335\237\372'
put 66540 '\331\013\134\123'
put 327680 '\256\117\276\073'
put 331776 '\256\117\276\073'
put 512000 '\331\013\134\123'
put 512058 '\001'
