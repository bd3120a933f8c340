# record of a table, root: level: 01 instead of 00 at byte 516007; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\305\017\210\021'
put 20476 '\073\050\122\332'
put 49272 '\305\017\210\021'
put 53244 '\073\050\122\332'
put 66540 '\344\272\072\247'
put 335872 '\257\001\274\172'
put 339968 '\257\001\274\172'
put 512000 '\344\272\072\247'
put 516007 '\001'
