# table of a machine, page: 06000000 instead of 07000000 at byte 503810; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\223\332\001\223'
put 20476 '\025\167\261\372'
put 49272 '\223\332\001\223'
put 53244 '\025\167\261\372'
put 66524 '\034\200\161\042'
put 327680 '\315\123\310\116'
put 331776 '\315\123\310\116'
put 503810 '\006'
