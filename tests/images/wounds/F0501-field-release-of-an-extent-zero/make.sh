# release of an extent, zero: 0100 instead of 0000 at byte 536221; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\121\276\011\037'
put 20476 '\013\175\035\227'
put 49272 '\121\276\011\037'
put 53244 '\013\175\035\227'
put 66580 '\263\244\211\071'
put 327680 '\011\175\003\121'
put 331776 '\011\175\003\121'
put 532480 '\263\244\211\071'
put 536221 '\001'
