# header of a slotted leaf, form: 0100 instead of 0000 at byte 512042; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\310\104\302\102'
put 20476 '\212\106\350\221'
put 49272 '\310\104\302\102'
put 53244 '\212\106\350\221'
put 66540 '\020\326\013\204'
put 327680 '\273\116\236\303'
put 331776 '\273\116\236\303'
put 512000 '\020\326\013\204'
put 512042 '\001'
