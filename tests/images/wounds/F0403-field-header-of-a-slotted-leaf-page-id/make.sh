# header of a slotted leaf, page id: 7c00000000000000 instead of 7d00000000000000 at byte 512008; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\173\003\162\256'
put 20476 '\321\215\141\324'
put 49272 '\173\003\162\256'
put 53244 '\321\215\141\324'
put 66540 '\030\124\130\115'
put 327680 '\124\064\121\203'
put 331776 '\124\064\121\203'
put 512000 '\030\124\130\115'
put 512008 '\174'
