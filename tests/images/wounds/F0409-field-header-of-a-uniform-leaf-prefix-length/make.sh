# header of a uniform leaf, prefix length: 0100 instead of 0000 at byte 520232; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\030\033\313\324'
put 20476 '\207\127\035\005'
put 49272 '\030\033\313\324'
put 53244 '\207\127\035\005'
put 66556 '\225\127\145\210'
put 335872 '\227\171\340\336'
put 339968 '\227\171\340\336'
put 520192 '\225\127\145\210'
put 520232 '\001'
