# branch, last snapshot: ffffffffffffffff… instead of 7765646e65736461… at byte 536443; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\246\007\272\253'
put 20476 '\034\060\357\277'
put 49272 '\246\007\272\253'
put 53244 '\034\060\357\277'
put 66580 '\256\301\040\271'
put 327680 '\373\343\030\222'
put 331776 '\373\343\030\222'
put 532480 '\256\301\040\271'
put 536443 '\377\377\377\377\377\377\377\377\377'
