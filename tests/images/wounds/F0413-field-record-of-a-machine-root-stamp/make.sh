# record of a machine, root: stamp: ffffffffffffffff instead of 2400000000000000 at byte 515976; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\235\333\174\027'
put 20476 '\370\160\114\227'
put 49272 '\235\333\174\027'
put 53244 '\370\160\114\227'
put 66540 '\366\170\206\114'
put 327680 '\235\365\077\111'
put 331776 '\235\365\077\111'
put 512000 '\366\170\206\114'
put 515976 '\377\377\377\377\377\377\377\377'
