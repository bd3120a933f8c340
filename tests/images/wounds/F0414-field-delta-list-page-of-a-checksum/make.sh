# delta list, page of a checksum: a0000000 instead of a1000000 at byte 16904; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16904 '\240'
put 20476 '\163\043\015\176'
put 49672 '\240'
put 53244 '\163\043\015\176'
