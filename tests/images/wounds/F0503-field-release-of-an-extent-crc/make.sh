# release of an extent, crc: d7ab80a9 instead of d6ab80a9 at byte 536215; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\223\127\341\200'
put 20476 '\245\131\164\322'
put 49272 '\223\127\341\200'
put 53244 '\245\131\164\322'
put 66580 '\273\047\121\176'
put 335872 '\140\115\032\105'
put 339968 '\140\115\032\105'
put 532480 '\273\047\121\176'
put 536215 '\327'
