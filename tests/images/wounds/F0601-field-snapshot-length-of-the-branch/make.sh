# snapshot, length of the branch: 0500 instead of 0400 at byte 536146; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\221\240\134\210'
put 20476 '\343\301\217\252'
put 49272 '\221\240\134\210'
put 53244 '\343\301\217\252'
put 66580 '\317\052\026\324'
put 327680 '\212\050\120\252'
put 331776 '\212\050\120\252'
put 532480 '\317\052\026\324'
put 536146 '\005'
