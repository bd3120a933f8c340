# record of a table, pages: 1c00000000000000 instead of 1d00000000000000 at byte 516024; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\060\221\320\112'
put 20476 '\240\254\227\213'
put 49272 '\060\221\320\112'
put 53244 '\240\254\227\213'
put 66540 '\370\204\015\155'
put 335872 '\272\114\163\300'
put 339968 '\272\114\163\300'
put 512000 '\370\204\015\155'
put 516024 '\034'
