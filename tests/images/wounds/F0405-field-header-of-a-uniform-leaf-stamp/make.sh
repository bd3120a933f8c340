# header of a uniform leaf, stamp: 2700000000000000 instead of 2600000000000000 at byte 520208; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\023\062\067\146'
put 20476 '\047\035\111\022'
put 49272 '\023\062\067\146'
put 53244 '\047\035\111\022'
put 66556 '\303\266\345\110'
put 327680 '\015\311\203\000'
put 331776 '\015\311\203\000'
put 520192 '\303\266\345\110'
put 520208 '\047'
