# header of a uniform leaf, values start: 1b0b0000 instead of 1a0b0000 at byte 520240; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\373\073\373\365'
put 20476 '\244\303\130\227'
put 49272 '\373\073\373\365'
put 53244 '\244\303\130\227'
put 66556 '\366\225\274\021'
put 327680 '\231\046\370\267'
put 331776 '\231\046\370\267'
put 520192 '\366\225\274\021'
put 520240 '\033'
