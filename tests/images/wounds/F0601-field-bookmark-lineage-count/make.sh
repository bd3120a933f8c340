# bookmark, lineage: count: 00 instead of 01 at byte 536274; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\114\333\214\222'
put 20476 '\000\254\074\044'
put 49272 '\114\333\214\222'
put 53244 '\000\254\074\044'
put 66580 '\150\016\110\200'
put 327680 '\120\255\266\102'
put 331776 '\120\255\266\102'
put 532480 '\150\016\110\200'
put 536274 '\000'
