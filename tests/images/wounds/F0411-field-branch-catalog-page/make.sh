# branch, catalog: page: 010000000000 instead of 000000000000 at byte 536493; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\377\056\114\211'
put 20476 '\334\323\145\231'
put 49272 '\377\056\114\211'
put 53244 '\334\323\145\231'
put 66580 '\104\016\133\104'
put 327680 '\255\121\043\361'
put 331776 '\255\121\043\361'
put 532480 '\104\016\133\104'
put 536493 '\001'
