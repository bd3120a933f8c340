# map entry of a free page, count: 01000000 instead of 00000000 at byte 66272; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\111'
put 16504 '\023\213\024\151'
put 20476 '\302\314\175\075'
put 49256 '\111'
put 49272 '\023\213\024\151'
put 53244 '\302\314\175\075'
put 66272 '\001'
put 335872 '\207\310\242\323\105'
put 339968 '\207\310\242\323\105'
