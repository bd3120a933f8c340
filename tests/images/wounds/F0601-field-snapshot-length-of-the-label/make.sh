# snapshot, length of the label: 0100 instead of 0000 at byte 536152; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\307\302\215\261'
put 20476 '\060\155\230\032'
put 49272 '\307\302\215\261'
put 53244 '\060\155\230\032'
put 66580 '\132\251\300\001'
put 335872 '\140\254\270\173'
put 339968 '\140\254\270\173'
put 532480 '\132\251\300\001'
put 536152 '\001'
