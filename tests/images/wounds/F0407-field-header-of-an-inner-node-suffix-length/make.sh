# header of an inner node, suffix length: 0100 instead of 0000 at byte 524344; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\164\300\154\211'
put 20476 '\375\066\335\366'
put 49272 '\164\300\154\211'
put 53244 '\375\066\335\366'
put 66564 '\006\136\331\002'
put 335872 '\157\103\037\047'
put 339968 '\157\103\037\047'
put 524288 '\006\136\331\002'
put 524344 '\001'
