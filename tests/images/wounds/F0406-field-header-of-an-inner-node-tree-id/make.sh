# header of an inner node, tree id: 0000070000000000 instead of 0100070000000000 at byte 524312; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\236\340\127\250'
put 20476 '\126\035\104\132'
put 49272 '\236\340\127\250'
put 53244 '\126\035\104\132'
put 66564 '\302\172\374\200'
put 335872 '\351\126\221\250'
put 339968 '\351\126\221\250'
put 524288 '\302\172\374\200'
put 524312 '\000'
