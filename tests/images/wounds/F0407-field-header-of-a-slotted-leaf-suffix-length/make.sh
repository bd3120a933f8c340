# header of a slotted leaf, suffix length: 0100 instead of 0000 at byte 512056; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\070\177\071\311'
put 20476 '\225\156\201\306'
put 49272 '\070\177\071\311'
put 53244 '\225\156\201\306'
put 66540 '\274\313\370\202'
put 327680 '\164\256\351\016'
put 331776 '\164\256\351\016'
put 512000 '\274\313\370\202'
put 512056 '\001'
