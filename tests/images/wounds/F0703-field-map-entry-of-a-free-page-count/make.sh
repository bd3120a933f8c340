# map entry of a free page, count: 01000000 instead of 00000000 at byte 66272; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\111'
put 16504 '\063\357\346\164'
put 20476 '\320\365\341\376'
put 49256 '\111'
put 49272 '\063\357\346\164'
put 53244 '\320\365\341\376'
put 66272 '\001'
put 327680 '\144\037\253\003\105'
put 331776 '\144\037\253\003\105'
