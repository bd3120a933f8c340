# header of a slotted leaf, kind: 03 instead of 02 at byte 512004; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\213\167\311\164'
put 20476 '\000\311\025\036'
put 49272 '\213\167\311\164'
put 53244 '\000\311\025\036'
put 66540 '\162\176\372\320'
put 335872 '\124\026\031\337'
put 339968 '\124\026\031\337'
put 512000 '\162\176\372\320\003'
