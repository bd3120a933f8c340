# uniform leaf, head: 2179656b instead of 2079656b at byte 520256; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\164\300\154\211'
put 20476 '\375\066\335\366'
put 49272 '\164\300\154\211'
put 53244 '\375\066\335\366'
put 66556 '\045\147\240\316'
put 335872 '\157\103\037\047'
put 339968 '\157\103\037\047'
put 520192 '\045\147\240\316'
put 520256 '\041'
