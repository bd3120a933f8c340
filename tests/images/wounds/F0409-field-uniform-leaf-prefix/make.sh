# uniform leaf, prefix: 6a6579203030 instead of 6b6579203030 at byte 659520; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16908 '\304\227\013\364'
put 20476 '\362\042\252\231'
put 49676 '\304\227\013\364'
put 53244 '\362\042\252\231'
put 659456 '\304\227\013\364'
put 659520 '\152'
