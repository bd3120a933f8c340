# inner node, key offset of no rest: 0100 instead of 0000 at byte 524360; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\234\242\314\350'
put 20476 '\370\360\072\243'
put 49272 '\234\242\314\350'
put 53244 '\370\360\072\243'
put 66564 '\343\000\102\150'
put 335872 '\320\224\012\026'
put 339968 '\320\224\012\026'
put 524288 '\343\000\102\150'
put 524360 '\001'
