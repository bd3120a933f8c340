# extent, start of a run: b90000000000 instead of b80000000000 at byte 716756; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\101\370\373\343'
put 20476 '\057\343\145\107'
put 49272 '\101\370\373\343'
put 53244 '\057\343\145\107'
put 66932 '\067\246\042\144'
put 327680 '\362\002\155\344'
put 331776 '\362\002\155\344'
put 712704 '\067\246\042\144'
put 716756 '\271'
