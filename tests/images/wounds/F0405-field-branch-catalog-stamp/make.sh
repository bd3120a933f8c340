# branch, catalog: stamp: 2700000000000000 instead of 2600000000000000 at byte 536415; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\110\157\142\046'
put 20476 '\150\237\061\240'
put 49272 '\110\157\142\046'
put 53244 '\150\237\061\240'
put 66580 '\367\330\360\130'
put 335872 '\156\017\336\333'
put 339968 '\156\017\336\333'
put 532480 '\367\330\360\130'
put 536415 '\047'
