# extent, crc: d7ab80a9 instead of d6ab80a9 at byte 716748; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\143\122\132\234'
put 20476 '\257\245\174\066'
put 49272 '\143\122\132\234'
put 53244 '\257\245\174\066'
put 66932 '\130\142\306\047'
put 327680 '\375\075\202\212'
put 331776 '\375\075\202\212'
put 712704 '\130\142\306\047'
put 716748 '\327'
