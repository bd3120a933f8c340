# extent, zero: 0100 instead of 0000 at byte 716754; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\212\244\152\045'
put 20476 '\200\211\206\224'
put 49272 '\212\244\152\045'
put 53244 '\200\211\206\224'
put 66932 '\226\307\046\362'
put 335872 '\061\211\203\300'
put 339968 '\061\211\203\300'
put 712704 '\226\307\046\362'
put 716754 '\001'
