# bookmark, lineage: count: 00 instead of 01 at byte 536274; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\154\277\176\217'
put 20476 '\022\225\240\347'
put 49272 '\154\277\176\217'
put 53244 '\022\225\240\347'
put 66580 '\146\272\165\072'
put 335872 '\263\172\277\222'
put 339968 '\263\172\277\222'
put 532480 '\146\272\165\072'
put 536274 '\000'
