# header of a uniform leaf, count: 1700 instead of 1600 at byte 520198; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\163\237\364\323'
put 20476 '\202\155\155\242'
put 49272 '\163\237\364\323'
put 53244 '\202\155\155\242'
put 66556 '\302\366\012\103'
put 335872 '\372\051\035\113'
put 339968 '\372\051\035\113'
put 520192 '\302\366\012\103'
put 520198 '\027'
