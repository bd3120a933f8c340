# record of a table, root: level: 01 instead of 00 at byte 516007; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\345\153\172\014'
put 20476 '\051\021\316\031'
put 49272 '\345\153\172\014'
put 53244 '\051\021\316\031'
put 66540 '\125\233\244\101'
put 327680 '\114\326\265\252'
put 331776 '\114\326\265\252'
put 512000 '\125\233\244\101'
put 516007 '\001'
