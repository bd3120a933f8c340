# table of a machine, page, highest bits, and zero: 01 instead of 00 at byte 503814; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\357\365\155\122'
put 20476 '\244\271\006\022'
put 49272 '\357\365\155\122'
put 53244 '\244\271\006\022'
put 66524 '\174\076\157\327'
put 327680 '\135\167\034\114'
put 331776 '\135\167\034\114'
put 503814 '\001'
