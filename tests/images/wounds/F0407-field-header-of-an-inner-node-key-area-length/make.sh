# header of an inner node, key area length: 07000000 instead of 06000000 at byte 524332; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\161\007\203\134'
put 20476 '\066\107\253\367'
put 49272 '\161\007\203\134'
put 53244 '\066\107\253\367'
put 66564 '\116\256\222\244'
put 335872 '\012\074\137\124'
put 339968 '\012\074\137\124'
put 524288 '\116\256\222\244'
put 524332 '\007'
