# inner node, key length: 0100 instead of 0000 at byte 524362; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\005\204\373\122'
put 20476 '\066\310\105\156'
put 49272 '\005\204\373\122'
put 53244 '\066\310\105\156'
put 66564 '\211\337\325\332'
put 327680 '\313\252\354\137'
put 331776 '\313\252\354\137'
put 524288 '\211\337\325\332'
put 524362 '\001'
