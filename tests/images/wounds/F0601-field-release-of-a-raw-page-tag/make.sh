# release of a raw page, tag: 03 instead of 02 at byte 536181; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\333\032\253\352'
put 20476 '\262\026\067\360'
put 49272 '\333\032\253\352'
put 53244 '\262\026\067\360'
put 66580 '\065\311\075\335'
put 335872 '\352\235\172\047'
put 339968 '\352\235\172\047'
put 532480 '\065\311\075\335'
put 536181 '\003'
