# superblock, pages: fd02000000000000 instead of fc02000000000000 at byte 16480; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16480 '\375'
put 20476 '\130\213\160\307'
put 49248 '\375'
put 53244 '\130\213\160\307'
