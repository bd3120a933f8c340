# header of an inner node, values start: cd0f0000 instead of cc0f0000 at byte 524336; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\331\114\277\137'
put 20476 '\164\332\365\227'
put 49272 '\331\114\277\137'
put 53244 '\164\332\365\227'
put 66564 '\134\211\132\171'
put 327680 '\011\355\345\371'
put 331776 '\011\355\345\371'
put 524288 '\134\211\132\171'
put 524336 '\315'
