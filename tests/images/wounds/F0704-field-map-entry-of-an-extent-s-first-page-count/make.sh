# map entry of an extent's first page, count: 00000000 instead of 01000000 at byte 66984; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\024\103\044\307'
put 20476 '\123\073\153\365'
put 49256 '\113'
put 49272 '\024\103\044\307'
put 53244 '\123\073\153\365'
put 66984 '\000'
put 335872 '\075\252\021\021\107'
put 339968 '\075\252\021\021\107'
