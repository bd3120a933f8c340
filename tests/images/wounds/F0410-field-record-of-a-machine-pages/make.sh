# record of a machine, pages: 1e00000000000000 instead of 1f00000000000000 at byte 515992; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\223\152\122\011'
put 20476 '\365\116\104\354'
put 49272 '\223\152\122\011'
put 53244 '\365\116\104\354'
put 66540 '\060\066\046\051'
put 327680 '\323\252\016\252'
put 331776 '\323\252\016\252'
put 512000 '\060\066\046\051'
put 515992 '\036'
