# slotted leaf, head: ffffffff instead of 6d6c6966 at byte 512064; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\354\105\316\140'
put 20476 '\137\152\241\102'
put 49272 '\354\105\316\140'
put 53244 '\137\152\241\102'
put 66540 '\010\251\220\100'
put 327680 '\034\042\212\276'
put 331776 '\034\042\212\276'
put 512000 '\010\251\220\100'
put 512064 '\377\377\377\377'
