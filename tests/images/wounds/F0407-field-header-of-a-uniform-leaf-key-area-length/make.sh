# header of a uniform leaf, key area length: 85000000 instead of 84000000 at byte 520236; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16505 '\336\020\245'
put 20476 '\364\244\241\331'
put 49273 '\336\020\245'
put 53244 '\364\244\241\331'
put 66556 '\344\262\164\314'
put 335872 '\204\244\355\032'
put 339968 '\204\244\355\032'
put 520192 '\344\262\164\314'
put 520236 '\205'
