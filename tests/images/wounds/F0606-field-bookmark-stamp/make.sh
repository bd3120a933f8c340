# bookmark, stamp: 0d00000000000000 instead of 0c00000000000000 at byte 536258; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\007\244\042\025'
put 20476 '\360\334\065\237'
put 49272 '\007\244\042\025'
put 53244 '\360\334\065\237'
put 66580 '\120\264\321\300'
put 327680 '\156\212\200\312'
put 331776 '\156\212\200\312'
put 532480 '\120\264\321\300'
put 536258 '\015'
