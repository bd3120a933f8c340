# snapshot, length of the parent: 0100 instead of 0000 at byte 536154; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\166\322\105\160'
put 20476 '\335\077\122\205'
put 49272 '\166\322\105\160'
put 53244 '\335\077\122\205'
put 66580 '\053\047\026\120'
put 335872 '\376\211\311\343'
put 339968 '\376\211\311\343'
put 532480 '\053\047\026\120'
put 536154 '\001'
