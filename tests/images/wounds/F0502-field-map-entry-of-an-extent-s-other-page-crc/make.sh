# map entry of an extent's other page, crc: 56b6d65b instead of 57b6d65b at byte 66996; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\065\174\265\227'
put 20476 '\257\271\376'
put 49272 '\065\174\265\227'
put 53244 '\257\271\376'
put 66996 '\126'
put 327680 '\127\274\265\271'
put 331776 '\127\274\265\271'
