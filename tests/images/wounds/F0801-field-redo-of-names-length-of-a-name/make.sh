# redo of names, length of a name: 05 instead of 04 at byte 1118273; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 1118208 '\320\031\341\307'
put 1118273 '\005'
put 1122304 '\216\302\002\367'
put 1122312 '\320\031\341\307'
put 1126400 '\023\345\175\211'
put 1126408 '\216\302\002\367'
put 1130496 '\052\262\044\253'
put 1130504 '\023\345\175\211'
