# release of an extent, runs: 0000 instead of 0100 at byte 536219; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\254\312\345\355'
put 20476 '\017\077\105\261'
put 49272 '\254\312\345\355'
put 53244 '\017\077\105\261'
put 66580 '\145\106\133\044'
put 327680 '\147\277\170\047'
put 331776 '\147\277\170\047'
put 532480 '\145\106\133\044'
put 536219 '\000'
