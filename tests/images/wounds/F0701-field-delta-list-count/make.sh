# delta list, count: 02000000 instead of 03000000 at byte 16900; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16900 '\002'
put 20476 '\256\021\351\333'
put 49668 '\002'
put 53244 '\256\021\351\333'
