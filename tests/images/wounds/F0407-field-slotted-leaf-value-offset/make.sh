# slotted leaf, value offset: a10f instead of a00f at byte 512084; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\250\302\342\370'
put 20476 '\044\304\357\313'
put 49272 '\250\302\342\370'
put 53244 '\044\304\357\313'
put 66540 '\367\254\113\150'
put 335872 '\232\231\214\214'
put 339968 '\232\231\214\214'
put 512000 '\367\254\113\150'
put 512084 '\241'
