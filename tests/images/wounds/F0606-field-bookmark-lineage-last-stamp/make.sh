# bookmark, lineage: last stamp: 0d00000000000000 instead of 0c00000000000000 at byte 536283; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\063\056\126\370'
put 20476 '\005\207\177\146'
put 49272 '\063\056\126\370'
put 53244 '\005\207\177\146'
put 66580 '\355\022\354\161'
put 327680 '\154\054\207\043'
put 331776 '\154\054\207\043'
put 532480 '\355\022\354\161'
put 536283 '\015'
