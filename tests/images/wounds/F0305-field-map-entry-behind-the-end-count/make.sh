# map entry behind the end, count: 01000000 instead of 00000000 at byte 75744; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\111'
put 16504 '\260\151\074\000'
put 20476 '\331\043\145\106'
put 49256 '\111'
put 49272 '\260\151\074\000'
put 53244 '\331\043\145\106'
put 75744 '\001'
put 327696 '\373\004\105\240\003'
put 331792 '\373\004\105\240\003'
