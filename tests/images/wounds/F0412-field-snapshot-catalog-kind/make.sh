# snapshot, catalog: kind: 03 instead of 02 at byte 536112; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\143\140\020\347'
put 20476 '\253\125\077'
put 49272 '\143\140\020\347'
put 53244 '\253\125\077'
put 66580 '\147\005\257\147'
put 335872 '\134\234\277\122'
put 339968 '\134\234\277\122'
put 532480 '\147\005\257\147'
put 536112 '\003'
