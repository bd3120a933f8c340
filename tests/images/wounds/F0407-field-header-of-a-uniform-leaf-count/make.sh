# header of a uniform leaf, count: 1700 instead of 1600 at byte 520198; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\123\373\006\316'
put 20476 '\220\124\361\141'
put 49272 '\123\373\006\316'
put 53244 '\220\124\361\141'
put 66556 '\222\064\357\200'
put 327680 '\031\376\024\233'
put 331776 '\031\376\024\233'
put 520192 '\222\064\357\200'
put 520198 '\027'
