# release of an extent, zero: 0100 instead of 0000 at byte 536221; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\161\332\373\002'
put 20476 '\031\104\201\124'
put 49272 '\161\332\373\002'
put 53244 '\031\104\201\124'
put 66580 '\275\020\264\203'
put 335872 '\352\252\012\201'
put 339968 '\352\252\012\201'
put 532480 '\275\020\264\203'
put 536221 '\001'
