# header of a uniform leaf, garbage: 01000000 instead of 00000000 at byte 520244; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\161\007\203\134'
put 20476 '\066\107\253\367'
put 49272 '\161\007\203\134'
put 53244 '\066\107\253\367'
put 66556 '\204\304\071\117'
put 335872 '\012\074\137\124'
put 339968 '\012\074\137\124'
put 520192 '\204\304\071\117'
put 520244 '\001'
