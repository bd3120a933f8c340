# extent, length: a186010000000000 instead of a086010000000000 at byte 716732; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\315\130\254\017'
put 20476 '\136\347\021\172'
put 49272 '\315\130\254\017'
put 53244 '\136\347\021\172'
put 66932 '\047\304\322\350'
put 335872 '\327\112\172\247'
put 339968 '\327\112\172\247'
put 712704 '\047\304\322\350'
put 716732 '\241'
