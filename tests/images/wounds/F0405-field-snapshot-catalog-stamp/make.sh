# snapshot, catalog: stamp: 0800000000000000 instead of 0900000000000000 at byte 536114; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\013\146\317\242'
put 20476 '\136\074\373\047'
put 49272 '\013\146\317\242'
put 53244 '\136\074\373\047'
put 66580 '\270\003\043\301'
put 335872 '\023\065\363\241'
put 339968 '\023\065\363\241'
put 532480 '\270\003\043\301'
put 536114 '\010'
