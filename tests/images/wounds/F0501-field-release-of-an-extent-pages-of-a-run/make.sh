# release of an extent, pages of a run: 18000000 instead of 19000000 at byte 536229; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\030\104\166\034'
put 20476 '\322\321\152\156'
put 49272 '\030\104\166\034'
put 53244 '\322\321\152\156'
put 66580 '\307\261\140\030'
put 335872 '\377\223\265\116'
put 339968 '\377\223\265\116'
put 532480 '\307\261\140\030'
put 536229 '\030'
