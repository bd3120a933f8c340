# branch, lineage: count: 03 instead of 02 at byte 536535; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\134\214\300\230'
put 20476 '\130\341\267\124'
put 49272 '\134\214\300\230'
put 53244 '\130\341\267\124'
put 66580 '\033\112\063\252'
put 327680 '\342\372\006\104'
put 331776 '\342\372\006\104'
put 532480 '\033\112\063\252'
put 536535 '\003'
