# header of a slotted leaf, suffix length: 0100 instead of 0000 at byte 512056; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\030\033\313\324'
put 20476 '\207\127\035\005'
put 49272 '\030\033\313\324'
put 53244 '\207\127\035\005'
put 66540 '\015\352\146\144'
put 335872 '\227\171\340\336'
put 339968 '\227\171\340\336'
put 512000 '\015\352\146\144'
put 512056 '\001'
