# release of an extent, crc: d7ab80a9 instead of d6ab80a9 at byte 536215; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\263\063\023\235'
put 20476 '\267\140\350\021'
put 49272 '\263\063\023\235'
put 53244 '\267\140\350\021'
put 66580 '\265\223\154\304'
put 327680 '\203\232\023\225'
put 331776 '\203\232\023\225'
put 532480 '\265\223\154\304'
put 536215 '\327'
