# header of a uniform leaf, form: 0000 instead of 0100 at byte 520234; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\203\265\210\324'
put 20476 '\366\335\237\372'
put 49272 '\203\265\210\324'
put 53244 '\366\335\237\372'
put 66556 '\120\235\051\257'
put 327680 '\256\117\276\073'
put 331776 '\256\117\276\073'
put 520192 '\120\235\051\257'
put 520234 '\000'
