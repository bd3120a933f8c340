# child in an inner node, entries: 3b0000000000 instead of 3a0000000000 at byte 528374; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\271\061\207\221'
put 20476 '\241\317\062\364'
put 49272 '\271\061\207\221'
put 53244 '\241\317\062\364'
put 66564 '\011\312\236\211'
put 327680 '\305\122\301\342'
put 331776 '\305\122\301\342'
put 524288 '\011\312\236\211'
put 528374 '\073'
