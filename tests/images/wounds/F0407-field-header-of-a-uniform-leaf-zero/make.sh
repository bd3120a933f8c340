# header of a uniform leaf, zero: 01000000 instead of 00000000 at byte 520252; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\164\202\232\171'
put 20476 '\042\106\105\155'
put 49272 '\164\202\232\171'
put 53244 '\042\106\105\155'
put 66556 '\112\212\151\005'
put 327680 '\106\141\330\335'
put 331776 '\106\141\330\335'
put 520192 '\112\212\151\005'
put 520252 '\001'
