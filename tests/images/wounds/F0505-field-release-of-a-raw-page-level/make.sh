# release of a raw page, level: 07 instead of 06 at byte 536189; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\354\117\162\276'
put 20476 '\224\345\242\051'
put 49272 '\354\117\162\276'
put 53244 '\224\345\242\051'
put 66580 '\177\046\321\125'
put 335872 '\011\047\232\272'
put 339968 '\011\047\232\272'
put 532480 '\177\046\321\125'
put 536189 '\007'
