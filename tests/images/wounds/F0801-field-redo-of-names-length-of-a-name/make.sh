# redo of names, length of a name: 05 instead of 04 at byte 1118273; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 1118208 '\075\177\236\265'
put 1118273 '\005'
put 1122304 '\064\154\006\201'
put 1122312 '\075\177\236\265'
put 1126400 '\017\167\366\351'
put 1126408 '\064\154\006\201'
put 1130496 '\301\355\154\020'
put 1130504 '\017\167\366\351'
