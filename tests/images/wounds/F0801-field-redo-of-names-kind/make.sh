# redo of names, kind: 00 instead of 01 at byte 1118272; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 1118208 '\253\364\334\070'
put 1118272 '\000'
put 1122304 '\037\042\104\120'
put 1122312 '\253\364\334\070'
put 1126400 '\132\001\255\100'
put 1126408 '\037\042\104\120'
put 1130496 '\250\353\157\151'
put 1130504 '\132\001\255\100'
