# map entry of a node, count, in the delta list as well: 00000000 instead of 03000000 at byte 66800; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\037\002\050\054'
put 20476 '\163\101\124\327'
put 49256 '\113'
put 49272 '\037\002\050\054'
put 53244 '\163\101\124\327'
put 66800 '\000'
put 335872 '\265\002\076\315\107'
put 339968 '\265\002\076\315\107'
