# snapshot, catalog: level: 01 instead of 00 at byte 536113; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\200\241\342\273'
put 20477 '\267\315\121'
put 49272 '\200\241\342\273'
put 53245 '\267\315\121'
put 66580 '\374\254\253\113'
put 327680 '\257\227\152\171'
put 331776 '\257\227\152\171'
put 532480 '\374\254\253\113'
put 536113 '\001'
