# release of a raw page, page: 7a0000000000 instead of 7b0000000000 at byte 536182; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\012\047\362\155'
put 20476 '\020\167\342\137'
put 49272 '\012\047\362\155'
put 53244 '\020\167\342\137'
put 66580 '\010\373\121\011'
put 327680 '\155\275\310\326'
put 331776 '\155\275\310\326'
put 532480 '\010\373\121\011'
put 536182 '\172'
