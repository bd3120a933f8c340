# header of an inner node, form: 0100 instead of 0000 at byte 524330; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\275\072\207\025'
put 20476 '\362\365\120\072'
put 49272 '\275\072\207\025'
put 53244 '\362\365\120\072'
put 66564 '\372\201\317\307'
put 327680 '\257\257\152\140'
put 331776 '\257\257\152\140'
put 524288 '\372\201\317\307'
put 524330 '\001'
