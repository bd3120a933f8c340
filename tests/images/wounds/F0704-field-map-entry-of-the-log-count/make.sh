# map entry of the log, count: 00000000 instead of 01000000 at byte 67552; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\155\306\120\062'
put 20476 '\314\272\304\267'
put 49256 '\113'
put 49272 '\155\306\120\062'
put 53244 '\314\272\304\267'
put 67552 '\000'
put 335872 '\122\133\365\365\107'
put 339968 '\122\133\365\365\107'
