# uniform leaf, rest of a key: 313030303538 instead of 303030303538 at byte 520344; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\331\001\276\200'
put 20476 '\320\134\320\153'
put 49272 '\331\001\276\200'
put 53244 '\320\134\320\153'
put 66556 '\010\202\237\067'
put 335872 '\054\157\150\044'
put 339968 '\054\157\150\044'
put 520192 '\010\202\237\067'
put 520344 '\061'
