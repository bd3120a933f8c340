# snapshot, stamp: 0d00000000000000 instead of 0c00000000000000 at byte 536122; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\245\236\077\235'
put 20476 '\221\310\364\345'
put 49272 '\245\236\077\235'
put 53244 '\221\310\364\345'
put 66580 '\077\140\375\200'
put 327680 '\054\016\131\031'
put 331776 '\054\016\131\031'
put 532480 '\077\140\375\200'
put 536122 '\015'
