# release of a node, tag: 01 instead of 00 at byte 536233; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\351\221\336\271'
put 20476 '\126\244\334\016'
put 49272 '\351\221\336\271'
put 53244 '\126\244\334\016'
put 66580 '\153\203\001\025'
put 327680 '\326\337\132\214'
put 331776 '\326\337\132\214'
put 532480 '\153\203\001\025'
put 536233 '\001'
