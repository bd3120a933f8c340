# header of a slotted leaf, stamp: 2700000000000000 instead of 2600000000000000 at byte 512016; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\360\156\022\211'
put 20476 '\262\003\344\104'
put 49272 '\360\156\022\211'
put 53244 '\262\003\344\104'
put 66540 '\062\334\131\205'
put 335872 '\011\371\174\341'
put 339968 '\011\371\174\341'
put 512000 '\062\334\131\205'
put 512016 '\047'
