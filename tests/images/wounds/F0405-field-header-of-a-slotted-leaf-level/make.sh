# header of a slotted leaf, level: 01 instead of 00 at byte 512005; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\055\260\370\166'
put 20476 '\000\320\300\260'
put 49272 '\055\260\370\166'
put 53244 '\000\320\300\260'
put 66540 '\164\237\067\123'
put 335872 '\123\275\344\007'
put 339968 '\123\275\344\007'
put 512000 '\164\237\067\123'
put 512005 '\001'
