# header of an inner node, kind: 02 instead of 03 at byte 524292; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\002\326\103\267'
put 20476 '\244\361\121\157'
put 49272 '\002\326\103\267'
put 53244 '\244\361\121\157'
put 66564 '\171\312\105\266'
put 335872 '\370\303\277\023'
put 339968 '\370\303\277\023'
put 524288 '\171\312\105\266\002'
