# uniform leaf, rest of a key: 313030303538 instead of 303030303538 at byte 520344; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\371\145\114\235'
put 20476 '\302\145\114\250'
put 49272 '\371\145\114\235'
put 53244 '\302\145\114\250'
put 66556 '\130\100\172\364'
put 327680 '\317\270\141\364'
put 331776 '\317\270\141\364'
put 520192 '\130\100\172\364'
put 520344 '\061'
