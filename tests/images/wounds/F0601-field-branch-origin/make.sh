# branch, origin: ffffffffffff instead of 6d6f6e646179 at byte 536527; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\170\275\117\375'
put 20476 '\203\041\303\325'
put 49272 '\170\275\117\375'
put 53244 '\203\041\303\325'
put 66580 '\327\005\114\340'
put 335872 '\113\070\377\300'
put 339968 '\113\070\377\300'
put 532480 '\327\005\114\340'
put 536527 '\377\377\377\377\377\377'
