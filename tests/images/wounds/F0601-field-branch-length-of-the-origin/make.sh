# branch, length of the origin: 0700 instead of 0600 at byte 536525; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\246\340\376\340'
put 20476 '\060\374\113\333'
put 49272 '\246\340\376\340'
put 53244 '\060\374\113\333'
put 66580 '\051\051\032\210'
put 327680 '\046\216\336\341'
put 331776 '\046\216\336\341'
put 532480 '\051\051\032\210'
put 536525 '\007'
