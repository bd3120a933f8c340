# map entry of a raw page, crc: 1b4a5592 instead of 1a4a5592 at byte 66284; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\035\266\252\011'
put 20476 '\245\241\074\371'
put 49272 '\035\266\252\011'
put 53244 '\245\241\074\371'
put 66284 '\033'
put 327680 '\200\061\076\020'
put 331776 '\200\061\076\020'
