# record of a machine, root: level: 07 instead of 06 at byte 515975; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\110\157\142\046'
put 20476 '\150\237\061\240'
put 49272 '\110\157\142\046'
put 53244 '\150\237\061\240'
put 66540 '\244\053\364\057'
put 335872 '\156\017\336\333'
put 339968 '\156\017\336\333'
put 512000 '\244\053\364\057'
put 515975 '\007'
