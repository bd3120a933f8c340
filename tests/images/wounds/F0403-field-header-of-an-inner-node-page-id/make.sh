# header of an inner node, page id: 8100000000000000 instead of 8000000000000000 at byte 524296; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\023\062\067\146'
put 20476 '\047\035\111\022'
put 49272 '\023\062\067\146'
put 53244 '\047\035\111\022'
put 66564 '\362\003\234\016'
put 327680 '\015\311\203\000'
put 331776 '\015\311\203\000'
put 524288 '\362\003\234\016'
put 524296 '\201'
