# header of a slotted leaf, store id: e76b24bec2d4f8c9 instead of e66b24bec2d4f8c9 at byte 512032; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\063\126\305\173'
put 20476 '\065\044\325\321'
put 49272 '\063\126\305\173'
put 53244 '\065\044\325\321'
put 66540 '\026\273\145\214'
put 335872 '\356\036\212\320'
put 339968 '\356\036\212\320'
put 512000 '\026\273\145\214'
put 512032 '\347'
