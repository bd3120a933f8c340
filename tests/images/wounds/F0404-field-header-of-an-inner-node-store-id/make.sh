# header of an inner node, store id: e76b24bec2d4f8c9 instead of e66b24bec2d4f8c9 at byte 524320; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\030\033\313\324'
put 20476 '\207\127\035\005'
put 49272 '\030\033\313\324'
put 53244 '\207\127\035\005'
put 66564 '\035\017\332\352'
put 335872 '\227\171\340\336'
put 339968 '\227\171\340\336'
put 524288 '\035\017\332\352'
put 524320 '\347'
