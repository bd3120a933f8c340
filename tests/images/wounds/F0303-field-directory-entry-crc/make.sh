# directory entry, crc: ed184484 instead of ec184484 at byte 335872; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\312\114\251\042'
put 20476 '\210\316\344\344'
put 49272 '\312\114\251\042'
put 53244 '\210\316\344\344'
put 335872 '\355'
put 339968 '\355'
