# release of a node, level: 01 instead of 00 at byte 536241; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\132\200\255\340'
put 20476 '\067\022\114\100'
put 49272 '\132\200\255\340'
put 53244 '\067\022\114\100'
put 66580 '\364\351\336\003'
put 335872 '\211\320\010\162'
put 339968 '\211\320\010\162'
put 532480 '\364\351\336\003'
put 536241 '\001'
