# record of a table, pages: 1c00000000000000 instead of 1d00000000000000 at byte 516024; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\020\365\042\127'
put 20476 '\262\225\013\110'
put 49272 '\020\365\042\127'
put 53244 '\262\225\013\110'
put 66540 '\111\245\223\213'
put 327680 '\131\233\172\020'
put 331776 '\131\233\172\020'
put 512000 '\111\245\223\213'
put 516024 '\034'
