# map entry of a raw page, count: 00000000 instead of 01000000 at byte 66280; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\315\127\114\246'
put 20476 '\073\154\335\256'
put 49256 '\113'
put 49272 '\315\127\114\246'
put 53244 '\073\154\335\256'
put 66280 '\000'
put 327680 '\004\230\216\053\107'
put 331776 '\004\230\216\053\107'
