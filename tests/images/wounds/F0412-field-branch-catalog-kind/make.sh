# branch, catalog: kind: 03 instead of 02 at byte 536413; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\254\100\230\105'
put 20476 '\106\261\374\125'
put 49272 '\254\100\230\105'
put 53244 '\106\261\374\125'
put 66580 '\042\304\117\001'
put 335872 '\170\070\042\016'
put 339968 '\170\070\042\016'
put 532480 '\042\304\117\001'
put 536413 '\003'
