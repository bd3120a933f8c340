# snapshot, lineage: count: 00 instead of 01 at byte 536164; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\070\316\000\340'
put 20476 '\045\114\340\340'
put 49272 '\070\316\000\340'
put 53244 '\045\114\340\340'
put 66580 '\245\371\113\202'
put 327680 '\240\103\177\306'
put 331776 '\240\103\177\306'
put 532480 '\245\371\113\202'
put 536164 '\000'
