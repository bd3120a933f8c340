# map entry of a raw page, crc: 1b4a5592 instead of 1a4a5592 at byte 66284; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\075\322\130\024'
put 20476 '\267\230\240\072'
put 49272 '\075\322\130\024'
put 53244 '\267\230\240\072'
put 66284 '\033'
put 335872 '\143\346\067\300'
put 339968 '\143\346\067\300'
