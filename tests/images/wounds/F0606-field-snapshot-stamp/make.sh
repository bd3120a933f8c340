# snapshot, stamp: 0d00000000000000 instead of 0c00000000000000 at byte 536122; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\205\372\315\200'
put 20476 '\203\361\150\046'
put 49272 '\205\372\315\200'
put 53244 '\203\361\150\046'
put 66580 '\061\324\300\072'
put 335872 '\317\331\120\311'
put 339968 '\317\331\120\311'
put 532480 '\061\324\300\072'
put 536122 '\015'
