# header of a uniform leaf, store id: e76b24bec2d4f8c9 instead of e66b24bec2d4f8c9 at byte 520224; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\236\340\127\250'
put 20476 '\126\035\104\132'
put 49272 '\236\340\127\250'
put 53244 '\126\035\104\132'
put 66556 '\267\023\074\202'
put 335872 '\351\126\221\250'
put 339968 '\351\126\221\250'
put 520192 '\267\023\074\202'
put 520224 '\347'
