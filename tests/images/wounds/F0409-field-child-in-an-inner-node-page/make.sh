# child in an inner node, page: 7f0000000000 instead of 7e0000000000 at byte 528358; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\261\334\126\150'
put 20476 '\206\212\073\210'
put 49272 '\261\334\126\150'
put 53244 '\206\212\073\210'
put 66564 '\360\305\244\102'
put 335872 '\034\315\357\132'
put 339968 '\034\315\357\132'
put 524288 '\360\305\244\102'
put 528358 '\177'
