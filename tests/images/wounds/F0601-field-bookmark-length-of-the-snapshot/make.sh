# bookmark, length of the snapshot: 0700 instead of 0600 at byte 536291; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\255\363\003\352'
put 20476 '\332\151\034\377'
put 49272 '\255\363\003\352'
put 53244 '\332\151\034\377'
put 66580 '\073\304\325\204'
put 335872 '\307\347\107\162'
put 339968 '\307\347\107\162'
put 532480 '\073\304\325\204'
put 536291 '\007'
