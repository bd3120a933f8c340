# release of a raw page, tag: 03 instead of 02 at byte 536181; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\373\176\131\367'
put 20476 '\240\057\253\063'
put 49272 '\373\176\131\367'
put 53244 '\240\057\253\063'
put 66580 '\073\175\000\147'
put 327680 '\011\112\163\367'
put 331776 '\011\112\163\367'
put 532480 '\073\175\000\147'
put 536181 '\003'
