# header of a uniform leaf, suffix length: 0b00 instead of 0a00 at byte 520248; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\331\114\277\137'
put 20476 '\164\332\365\227'
put 49272 '\331\114\277\137'
put 53244 '\164\332\365\227'
put 66556 '\374\200\332\251'
put 327680 '\011\355\345\371'
put 331776 '\011\355\345\371'
put 520192 '\374\200\332\251'
put 520248 '\013'
