# snapshot, catalog: level: 01 instead of 00 at byte 536113; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\240\305\020\246'
put 20477 '\216\121\222'
put 49272 '\240\305\020\246'
put 53245 '\216\121\222'
put 66580 '\362\030\226\361'
put 335872 '\114\100\143\251'
put 339968 '\114\100\143\251'
put 532480 '\362\030\226\361'
put 536113 '\001'
