# uniform leaf, head: 2179656b instead of 2079656b at byte 520256; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\124\244\236\224'
put 20476 '\357\017\101\065'
put 49272 '\124\244\236\224'
put 53244 '\357\017\101\065'
put 66556 '\165\245\105\015'
put 327680 '\214\224\026\367'
put 331776 '\214\224\026\367'
put 520192 '\165\245\105\015'
put 520256 '\041'
