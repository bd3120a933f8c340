# release of an extent, pages of a run: 18000000 instead of 19000000 at byte 536229; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\070\040\204\001'
put 20476 '\300\350\366\255'
put 49272 '\070\040\204\001'
put 53244 '\300\350\366\255'
put 66580 '\311\005\135\242'
put 327680 '\034\104\274\236'
put 331776 '\034\104\274\236'
put 532480 '\311\005\135\242'
put 536229 '\030'
