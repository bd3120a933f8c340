# map entry behind the end, count: 01000000 instead of 00000000 at byte 75744; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\111'
put 16504 '\220\015\316\035'
put 20476 '\313\032\371\205'
put 49256 '\111'
put 49272 '\220\015\316\035'
put 53244 '\313\032\371\205'
put 75744 '\001'
put 335888 '\373\004\105\240\003'
put 339984 '\373\004\105\240\003'
