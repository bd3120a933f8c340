# map entry of a raw page, count: 00000000 instead of 01000000 at byte 66280; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\355\063\276\273'
put 20476 '\051\125\101\155'
put 49256 '\113'
put 49272 '\355\063\276\273'
put 53244 '\051\125\101\155'
put 66280 '\000'
put 335872 '\347\117\207\373\107'
put 339968 '\347\117\207\373\107'
