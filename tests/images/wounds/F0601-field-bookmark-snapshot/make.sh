# bookmark, snapshot: ffffffffffff instead of 6d6f6e646179 at byte 536293; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\270\102\312\057'
put 20476 '\306\073\347\077'
put 49272 '\270\102\312\057'
put 53244 '\306\073\347\077'
put 66580 '\261\302\002\362'
put 327680 '\076\017\233\033'
put 331776 '\076\017\233\033'
put 532480 '\261\302\002\362'
put 536293 '\377\377\377\377\377\377'
