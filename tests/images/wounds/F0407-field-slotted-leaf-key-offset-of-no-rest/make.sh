# slotted leaf, key offset of no rest: 0100 instead of 0000 at byte 516398; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\144\242\267\377'
put 20476 '\107\215\031\272'
put 49272 '\144\242\267\377'
put 53244 '\107\215\031\272'
put 66548 '\221\362\233\150'
put 327680 '\016\127\044\043'
put 331776 '\016\127\044\043'
put 516096 '\221\362\233\150'
put 516398 '\001'
