# stream that is being received, position: 006100 instead of 016100 at byte 536315; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\065\027\325\015'
put 20476 '\141\121\071\205'
put 49272 '\065\027\325\015'
put 53244 '\141\121\071\205'
put 66580 '\216\321\013\306'
put 335872 '\242\224\322\170'
put 339968 '\242\224\322\170'
put 532480 '\216\321\013\306'
put 536315 '\000'
