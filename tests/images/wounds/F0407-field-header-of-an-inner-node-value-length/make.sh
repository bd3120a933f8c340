# header of an inner node, value length: 0100 instead of 0000 at byte 524346; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\265\326\163\256'
put 20476 '\377\153\025\066'
put 49272 '\265\326\163\256'
put 53244 '\377\153\025\066'
put 66564 '\063\134\230\020'
put 327680 '\001\252\227\267'
put 331776 '\001\252\227\267'
put 524288 '\063\134\230\020'
put 524346 '\001'
