# release of a node, stamp: 0800000000000000 instead of 0900000000000000 at byte 536242; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\244'
put 16506 '\064\166'
put 20476 '\170\351\342\067'
put 49272 '\244'
put 49274 '\064\166'
put 53244 '\170\351\342\067'
put 66580 '\353\113\322\353'
put 335872 '\071\046\252\161'
put 339968 '\071\046\252\161'
put 532480 '\353\113\322\353'
put 536242 '\010'
