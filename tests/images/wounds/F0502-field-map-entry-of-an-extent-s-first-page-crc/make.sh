# map entry of an extent's first page, crc: 56b6d65b instead of 57b6d65b at byte 66988; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\373\056\031\361'
put 20476 '\236\073\203\107'
put 49272 '\373\056\031\361'
put 53244 '\236\073\203\107'
put 66988 '\126'
put 327680 '\320\165\213\046'
put 331776 '\320\165\213\046'
