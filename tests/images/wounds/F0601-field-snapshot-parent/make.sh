# snapshot, parent: ffffffffffffff instead of 74756573646179 at byte 536074; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\167\207\054\165'
put 20476 '\113\227\312\364'
put 49272 '\167\207\054\165'
put 53244 '\113\227\312\364'
put 66580 '\015\355\266\231'
put 327680 '\120\315\112\357'
put 331776 '\120\315\112\357'
put 532480 '\015\355\266\231'
put 536074 '\377\377\377\377\377\377\377'
