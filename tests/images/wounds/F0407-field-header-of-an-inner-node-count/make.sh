# header of an inner node, count: 0300 instead of 0200 at byte 524294; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\036\121\244\313'
put 20476 '\255\260\306\305'
put 49272 '\036\121\244\313'
put 53244 '\255\260\306\305'
put 66564 '\070\050\011\350'
put 327680 '\166\134\030\217'
put 331776 '\166\134\030\217'
put 524288 '\070\050\011\350'
put 524294 '\003'
