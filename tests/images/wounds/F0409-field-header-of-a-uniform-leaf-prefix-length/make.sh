# header of a uniform leaf, prefix length: 0100 instead of 0000 at byte 520232; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\070\177\071\311'
put 20476 '\225\156\201\306'
put 49272 '\070\177\071\311'
put 53244 '\225\156\201\306'
put 66556 '\305\225\200\113'
put 327680 '\164\256\351\016'
put 331776 '\164\256\351\016'
put 520192 '\305\225\200\113'
put 520232 '\001'
