# inner node, key length: 0100 instead of 0000 at byte 524362; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\045\340\011\117'
put 20476 '\044\361\331\255'
put 49272 '\045\340\011\117'
put 53244 '\044\361\331\255'
put 66564 '\331\035\060\031'
put 335872 '\050\175\345\217'
put 339968 '\050\175\345\217'
put 524288 '\331\035\060\031'
put 524362 '\001'
