# header of a slotted leaf, key area length: 06000000 instead of 07000000 at byte 512044; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\216\376\074\225'
put 20476 '\245\226\110\177'
put 49272 '\216\376\074\225'
put 53244 '\245\226\110\177'
put 66540 '\105\032\055\302'
put 335872 '\255\025\011\007'
put 339968 '\255\025\011\007'
put 512000 '\105\032\055\302'
put 512044 '\006'
