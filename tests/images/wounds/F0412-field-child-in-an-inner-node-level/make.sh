# child in an inner node, level: 01 instead of 00 at byte 528365; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\131\100\321\373'
put 20476 '\133\074\342\321'
put 49272 '\131\100\321\373'
put 53244 '\133\074\342\321'
put 66564 '\077\343\133\162'
put 335872 '\364\100\015\236'
put 339968 '\364\100\015\236'
put 524288 '\077\343\133\162'
put 528365 '\001'
