# header of a slotted leaf, garbage: 01000000 instead of 00000000 at byte 512052; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\171\027\052\175'
put 20476 '\045\323\234\317'
put 49272 '\171\027\052\175'
put 53244 '\045\323\234\317'
put 66540 '\224\115\376\247'
put 327680 '\202\210\263\340'
put 331776 '\202\210\263\340'
put 512000 '\224\115\376\247'
put 512052 '\001'
