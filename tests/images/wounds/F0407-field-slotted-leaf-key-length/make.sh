# slotted leaf, key length: 0400 instead of 0500 at byte 512082; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\265\326\163\256'
put 20476 '\377\153\025\066'
put 49272 '\265\326\163\256'
put 53244 '\377\153\025\066'
put 66540 '\365\246\372\160'
put 327680 '\001\252\227\267'
put 331776 '\001\252\227\267'
put 512000 '\365\246\372\160'
put 512082 '\004'
