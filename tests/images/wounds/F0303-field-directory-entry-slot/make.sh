# directory entry, slot: 01 instead of 00 at byte 327688; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\003\043\103\015'
put 20476 '\047\061\246\162'
put 49272 '\003\043\103\015'
put 53244 '\047\061\246\162'
put 327688 '\001'
put 331784 '\001'
