# header of an inner node, store id: ee99deb150e7a3e1 instead of ef99deb150e7a3e1 at byte 524320; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\070\177\071\311'
put 20476 '\225\156\201\306'
put 49272 '\070\177\071\311'
put 53244 '\225\156\201\306'
put 66564 '\115\315\077\051'
put 327680 '\164\256\351\016'
put 331776 '\164\256\351\016'
put 524288 '\115\315\077\051'
put 524320 '\356'
