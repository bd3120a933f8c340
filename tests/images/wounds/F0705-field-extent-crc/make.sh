# extent, crc: d7ab80a9 instead of d6ab80a9 at byte 716748; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\103\066\250\201'
put 20476 '\275\234\340\365'
put 49272 '\103\066\250\201'
put 53244 '\275\234\340\365'
put 66932 '\010\240\043\344'
put 335872 '\036\352\213\132'
put 339968 '\036\352\213\132'
put 712704 '\010\240\043\344'
put 716748 '\327'
