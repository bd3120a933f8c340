# branch, length of the origin: 0700 instead of 0600 at byte 536525; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\206\204\014\375'
put 20476 '\042\305\327\030'
put 49272 '\206\204\014\375'
put 53244 '\042\305\327\030'
put 66580 '\047\235\047\062'
put 335872 '\305\131\327\061'
put 339968 '\305\131\327\061'
put 532480 '\047\235\047\062'
put 536525 '\007'
