# snapshot, lineage: count: 00 instead of 01 at byte 536164; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\030\252\362\375'
put 20476 '\067\165\174\043'
put 49272 '\030\252\362\375'
put 53244 '\067\165\174\043'
put 66580 '\253\115\166\070'
put 335872 '\103\224\166\026'
put 339968 '\103\224\166\026'
put 532480 '\253\115\166\070'
put 536164 '\000'
