# header of an inner node, kind: 02 instead of 03 at byte 524292; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\042\262\261\252'
put 20476 '\266\310\315\254'
put 49272 '\042\262\261\252'
put 53244 '\266\310\315\254'
put 66564 '\051\010\240\165'
put 327680 '\033\024\266\303'
put 331776 '\033\024\266\303'
put 524288 '\051\010\240\165\002'
