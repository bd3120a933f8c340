# slotted leaf, key offset: 0200 instead of 0300 at byte 512080; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\124\244\236\224'
put 20476 '\357\017\101\065'
put 49272 '\124\244\236\224'
put 53244 '\357\017\101\065'
put 66540 '\341\134\256\023'
put 327680 '\214\224\026\367'
put 331776 '\214\224\026\367'
put 512000 '\341\134\256\023'
put 512080 '\002'
