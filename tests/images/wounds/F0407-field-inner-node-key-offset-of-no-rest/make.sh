# inner node, key offset of no rest: 0100 instead of 0000 at byte 524360; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\274\306\076\365'
put 20476 '\352\311\246\140'
put 49272 '\274\306\076\365'
put 53244 '\352\311\246\140'
put 66564 '\263\302\247\253'
put 327680 '\063\103\003\306'
put 331776 '\063\103\003\306'
put 524288 '\263\302\247\253'
put 524360 '\001'
