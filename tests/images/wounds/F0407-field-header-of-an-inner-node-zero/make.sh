# header of an inner node, zero: 01000000 instead of 00000000 at byte 524348; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\250\302\342\370'
put 20476 '\044\304\357\313'
put 49272 '\250\302\342\370'
put 53244 '\044\304\357\313'
put 66564 '\260\124\152\256'
put 335872 '\232\231\214\214'
put 339968 '\232\231\214\214'
put 524288 '\260\124\152\256'
put 524348 '\001'
