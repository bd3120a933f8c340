# slotted leaf, value length: 2100 instead of 2000 at byte 512086; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\063\053\322\201'
put 20476 '\151\016\300\107'
put 49272 '\063\053\322\201'
put 53244 '\151\016\300\107'
put 66540 '\250\121\302\214'
put 335872 '\313\076\252\062'
put 339968 '\313\076\252\062'
put 512000 '\250\121\302\214'
put 512086 '\041'
