# release of an extent, tag: 00 instead of 01 at byte 536198; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\050\003\174\217'
put 20476 '\242\225\073\200'
put 49272 '\050\003\174\217'
put 53244 '\242\225\073\200'
put 66580 '\345\002\140\011'
put 327680 '\346\174\366\365'
put 331776 '\346\174\366\365'
put 532480 '\345\002\140\011'
put 536198 '\000'
