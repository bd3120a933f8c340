# release of an extent, length: a186010000000000 instead of a086010000000000 at byte 536199; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\102\126\106\117'
put 20476 '\350\133\042\251'
put 49272 '\102\126\106\117'
put 53244 '\350\133\042\251'
put 66580 '\237\302\050\002'
put 327680 '\256\130\155\076'
put 331776 '\256\130\155\076'
put 532480 '\237\302\050\002'
put 536199 '\241'
