# snapshot, stamp: ffffffffffffffff instead of 0c00000000000000 at byte 536122; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\175\254\114\162'
put 20476 '\105\245\340\211'
put 49272 '\175\254\114\162'
put 53244 '\105\245\340\211'
put 66580 '\315\026\334\020'
put 327680 '\224\377\262\372'
put 331776 '\224\377\262\372'
put 532480 '\315\026\334\020'
put 536122 '\377\377\377\377\377\377\377\377'
