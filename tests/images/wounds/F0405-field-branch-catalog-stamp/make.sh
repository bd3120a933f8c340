# branch, catalog: stamp: 2700000000000000 instead of 2600000000000000 at byte 536415; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\150\013\220\073'
put 20476 '\172\246\255\143'
put 49272 '\150\013\220\073'
put 53244 '\172\246\255\143'
put 66580 '\371\154\315\342'
put 327680 '\215\330\327\013'
put 331776 '\215\330\327\013'
put 532480 '\371\154\315\342'
put 536415 '\047'
