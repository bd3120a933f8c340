# header of a slotted leaf, zero: 01000000 instead of 00000000 at byte 512060; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16505 '\336\020\245'
put 20476 '\364\244\241\331'
put 49273 '\336\020\245'
put 53244 '\364\244\241\331'
put 66540 '\273\340\325\310'
put 335872 '\204\244\355\032'
put 339968 '\204\244\355\032'
put 512000 '\273\340\325\310'
put 512060 '\001'
