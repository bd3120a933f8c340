# header of an inner node, suffix length: 0100 instead of 0000 at byte 524344; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\124\244\236\224'
put 20476 '\357\017\101\065'
put 49272 '\124\244\236\224'
put 53244 '\357\017\101\065'
put 66564 '\126\234\074\301'
put 327680 '\214\224\026\367'
put 331776 '\214\224\026\367'
put 524288 '\126\234\074\301'
put 524344 '\001'
