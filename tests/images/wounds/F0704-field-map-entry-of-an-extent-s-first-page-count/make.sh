# map entry of an extent's first page, count: 00000000 instead of 01000000 at byte 66984; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\064\047\326\332'
put 20476 '\101\002\367\066'
put 49256 '\113'
put 49272 '\064\047\326\332'
put 53244 '\101\002\367\066'
put 66984 '\000'
put 327680 '\336\175\030\301\107'
put 331776 '\336\175\030\301\107'
