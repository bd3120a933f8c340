# header of a uniform leaf, value length: 3800 instead of 3900 at byte 520250; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\177\144\213\067'
put 20476 '\212\212\224\207'
put 49272 '\177\144\213\067'
put 53244 '\212\212\224\207'
put 66556 '\311\202\233\273'
put 335872 '\332\353\221\224'
put 339968 '\332\353\221\224'
put 520192 '\311\202\233\273'
put 520250 '\070'
