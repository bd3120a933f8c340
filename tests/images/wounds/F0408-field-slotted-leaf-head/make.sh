# slotted leaf, head: ffffffff instead of 6d6c6966 at byte 512064; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\314\041\074\175'
put 20476 '\115\123\075\201'
put 49272 '\314\041\074\175'
put 53244 '\115\123\075\201'
put 66540 '\271\210\016\246'
put 335872 '\377\365\203\156'
put 339968 '\377\365\203\156'
put 512000 '\271\210\016\246'
put 512064 '\377\377\377\377'
