# release of an extent, runs: 0000 instead of 0100 at byte 536219; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\214\256\027\360'
put 20476 '\035\006\331\162'
put 49272 '\214\256\027\360'
put 53244 '\035\006\331\162'
put 66580 '\153\362\146\236'
put 335872 '\204\150\161\367'
put 339968 '\204\150\161\367'
put 532480 '\153\362\146\236'
put 536219 '\000'
