# snapshot, length of the parent: 0100 instead of 0000 at byte 536154; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\126\266\267\155'
put 20476 '\317\006\316\106'
put 49272 '\126\266\267\155'
put 53244 '\317\006\316\106'
put 66580 '\045\223\053\352'
put 327680 '\035\136\300\063'
put 331776 '\035\136\300\063'
put 532480 '\045\223\053\352'
put 536154 '\001'
