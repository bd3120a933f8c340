# record of a machine, pages: 1e00000000000000 instead of 1f00000000000000 at byte 515992; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\263\016\240\024'
put 20476 '\347\167\330\057'
put 49272 '\263\016\240\024'
put 53244 '\347\167\330\057'
put 66540 '\201\027\270\317'
put 335872 '\060\175\007\172'
put 339968 '\060\175\007\172'
put 512000 '\201\027\270\317'
put 515992 '\036'
