# header of a slotted leaf, values start: 810f0000 instead of 800f0000 at byte 512048; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\236\340\127\250'
put 20476 '\126\035\104\132'
put 49272 '\236\340\127\250'
put 53244 '\126\035\104\132'
put 66540 '\007\377\000\334'
put 335872 '\351\126\221\250'
put 339968 '\351\126\221\250'
put 512000 '\007\377\000\334'
put 512048 '\201'
