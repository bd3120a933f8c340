# branch, shared at: ffffffffffffffff instead of 1200000000000000 at byte 536509; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\026\213\115\173'
put 20476 '\370\272\102\054'
put 49272 '\026\213\115\173'
put 53244 '\370\272\102\054'
put 66580 '\320\225\034\152'
put 335872 '\241\227\244\214'
put 339968 '\241\227\244\214'
put 532480 '\320\225\034\152'
put 536509 '\377\377\377\377\377\377\377\377'
