# header of an inner node, garbage: 01000000 instead of 00000000 at byte 524340; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\124\346\150\144'
put 20476 '\060\177\331\256'
put 49272 '\124\346\150\144'
put 53244 '\060\177\331\256'
put 66564 '\056\330\337\047'
put 335872 '\245\266\321\015'
put 339968 '\245\266\321\015'
put 524288 '\056\330\337\047'
put 524340 '\001'
