# slotted leaf, key offset: 0200 instead of 0300 at byte 512080; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\164\300\154\211'
put 20476 '\375\066\335\366'
put 49272 '\164\300\154\211'
put 53244 '\375\066\335\366'
put 66540 '\120\175\060\365'
put 335872 '\157\103\037\047'
put 339968 '\157\103\037\047'
put 512000 '\120\175\060\365'
put 512080 '\002'
