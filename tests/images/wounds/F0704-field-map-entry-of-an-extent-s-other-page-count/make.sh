# map entry of an extent's other page, count: 00000000 instead of 01000000 at byte 66992; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\167\027\355\230'
put 20476 '\005\351\017\106'
put 49256 '\113'
put 49272 '\167\027\355\230'
put 53244 '\005\351\017\106'
put 66992 '\000'
put 335872 '\330\034\224\336\107'
put 339968 '\330\034\224\336\107'
