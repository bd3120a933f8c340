# directory entry, crc: 0ecf4d54 instead of 0fcf4d54 at byte 327680; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\352\050\133\077'
put 20476 '\232\367\170\047'
put 49272 '\352\050\133\077'
put 53244 '\232\367\170\047'
put 327680 '\016'
put 331776 '\016'
