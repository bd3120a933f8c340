# extent, length: a186010000000000 instead of a086010000000000 at byte 716732; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\355\074\136\022'
put 20476 '\114\336\215\271'
put 49272 '\355\074\136\022'
put 53244 '\114\336\215\271'
put 66932 '\167\006\067\053'
put 327680 '\064\235\163\167'
put 331776 '\064\235\163\167'
put 712704 '\167\006\067\053'
put 716732 '\241'
