# release of a node, page: ac0000000000 instead of ad0000000000 at byte 536234; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\310\005\154\363'
put 20476 '\147\157\140\063'
put 49272 '\310\005\154\363'
put 53244 '\147\157\140\063'
put 66580 '\300\232\365\265'
put 335872 '\104\033\177\236'
put 339968 '\104\033\177\236'
put 532480 '\300\232\365\265'
put 536234 '\254'
