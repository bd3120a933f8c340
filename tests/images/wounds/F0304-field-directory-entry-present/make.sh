# directory entry, present: 00 instead of 01 at byte 335881; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\064\330\140\145'
put 20476 '\251\251\032\225'
put 49272 '\064\330\140\145'
put 53244 '\251\251\032\225'
put 335881 '\000'
put 339977 '\000'
