# redo of names, length of the label: 01 instead of 00 at byte 1118295; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 1118208 '\257\203\002\254'
put 1118295 '\001'
put 1122304 '\022\321\204\163'
put 1122312 '\257\203\002\254'
put 1126400 '\116\372\033\224'
put 1126408 '\022\321\204\163'
put 1130496 '\267\124\021\330'
put 1130504 '\116\372\033\224'
