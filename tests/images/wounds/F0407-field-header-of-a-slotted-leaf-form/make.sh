# header of a slotted leaf, form: 0100 instead of 0000 at byte 512042; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\350\040\060\137'
put 20476 '\230\177\164\122'
put 49272 '\350\040\060\137'
put 53244 '\230\177\164\122'
put 66540 '\241\367\225\142'
put 335872 '\130\231\227\023'
put 339968 '\130\231\227\023'
put 512000 '\241\367\225\142'
put 512042 '\001'
