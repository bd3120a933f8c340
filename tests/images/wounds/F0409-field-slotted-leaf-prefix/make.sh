# slotted leaf, prefix: ffffffffffff instead of 6b6579203030 at byte 516160; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\233\331\355\157'
put 20476 '\067\371\035\004'
put 49272 '\233\331\355\157'
put 53244 '\067\371\035\004'
put 66548 '\003\147\310\071'
put 327680 '\366\166\203\227'
put 331776 '\366\166\203\227'
put 516096 '\003\147\310\071'
put 516160 '\377\377\377\377\377\377'
