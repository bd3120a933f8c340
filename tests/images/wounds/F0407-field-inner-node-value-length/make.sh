# inner node, value length: 1b00 instead of 1a00 at byte 524366; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\325\232\014\342'
put 20476 '\325\102\155\122'
put 49272 '\325\232\014\342'
put 53244 '\325\102\155\122'
put 66564 '\130\146\111\340'
put 335872 '\100\076\327\225'
put 339968 '\100\076\327\225'
put 524288 '\130\146\111\340'
put 524366 '\033'
