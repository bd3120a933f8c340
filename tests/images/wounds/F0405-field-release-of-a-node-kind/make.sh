# release of a node, kind: 03 instead of 02 at byte 536240; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\044\306\076\272'
put 20476 '\315\340\130\246'
put 49272 '\044\306\076\272'
put 53244 '\315\340\130\246'
put 66580 '\243\350\076\216'
put 335872 '\363\301\152\271'
put 339968 '\363\301\152\271'
put 532480 '\243\350\076\216'
put 536240 '\003'
