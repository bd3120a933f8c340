# bookmark, lineage: last stamp: 0d00000000000000 instead of 0c00000000000000 at byte 536283; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\023\112\244\345'
put 20476 '\027\276\343\245'
put 49272 '\023\112\244\345'
put 53244 '\027\276\343\245'
put 66580 '\343\246\321\313'
put 335872 '\217\373\216\363'
put 339968 '\217\373\216\363'
put 532480 '\343\246\321\313'
put 536283 '\015'
