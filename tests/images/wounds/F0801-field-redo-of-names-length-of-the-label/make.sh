# redo of names, length of the label: 01 instead of 00 at byte 1118295; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 1118208 '\102\345\175\336'
put 1118295 '\001'
put 1122304 '\250\177\200\005'
put 1122312 '\102\345\175\336'
put 1126400 '\122\150\220\364'
put 1126408 '\250\177\200\005'
put 1130496 '\134\013\131\143'
put 1130504 '\122\150\220\364'
