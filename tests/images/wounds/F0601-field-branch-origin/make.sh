# branch, origin: ffffffffffff instead of 6d6f6e646179 at byte 536527; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\130\331\275\340'
put 20476 '\221\030\137\026'
put 49272 '\130\331\275\340'
put 53244 '\221\030\137\026'
put 66580 '\331\261\161\132'
put 327680 '\250\357\366\020'
put 331776 '\250\357\366\020'
put 532480 '\331\261\161\132'
put 536527 '\377\377\377\377\377\377'
