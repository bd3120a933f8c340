# record of a table, root: kind: 02 instead of 03 at byte 516006; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\176\155\177\332'
put 20476 '\334\262\164\257'
put 49272 '\176\155\177\332'
put 53244 '\334\262\164\257'
put 66540 '\023\340\001\040'
put 335872 '\337\360\157\153'
put 339968 '\337\360\157\153'
put 512000 '\023\340\001\040'
put 516006 '\002'
