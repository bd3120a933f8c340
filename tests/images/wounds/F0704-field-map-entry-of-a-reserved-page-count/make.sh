# map entry of a reserved page, count: 00000000 instead of 01000000 at byte 65536; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\072\336\031\303'
put 20476 '\314\126\026\024'
put 49256 '\113'
put 49272 '\072\336\031\303'
put 53244 '\314\126\026\024'
put 65536 '\000'
put 327680 '\043\146\225\016\107'
put 331776 '\043\146\225\016\107'
