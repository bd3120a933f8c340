# header of a slotted leaf, store id: ee99deb150e7a3e1 instead of ef99deb150e7a3e1 at byte 512032; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\023\062\067\146'
put 20476 '\047\035\111\022'
put 49272 '\023\062\067\146'
put 53244 '\047\035\111\022'
put 66540 '\247\232\373\152'
put 327680 '\015\311\203\000'
put 331776 '\015\311\203\000'
put 512000 '\247\232\373\152'
put 512032 '\356'
