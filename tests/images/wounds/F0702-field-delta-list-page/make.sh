# delta list, page: 9f000000 instead of 9e000000 at byte 16896; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16896 '\237'
put 20476 '\233\040\226\264'
put 49664 '\237'
put 53244 '\233\040\226\264'
