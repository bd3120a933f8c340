# child in an inner node, kind: 02 instead of 03 at byte 528364; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\136\353\054\043'
put 20476 '\220\143\315\342'
put 49272 '\136\353\054\043'
put 53244 '\220\143\315\342'
put 66564 '\041\130\336\300'
put 335872 '\342\311\062\227'
put 339968 '\342\311\062\227'
put 524288 '\041\130\336\300'
put 528364 '\002'
