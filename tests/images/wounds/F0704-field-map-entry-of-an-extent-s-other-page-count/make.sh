# map entry of an extent's other page, count: 00000000 instead of 01000000 at byte 66992; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\127\163\037\205'
put 20476 '\027\320\223\205'
put 49256 '\113'
put 49272 '\127\163\037\205'
put 53244 '\027\320\223\205'
put 66992 '\000'
put 327680 '\073\313\235\016\107'
put 331776 '\073\313\235\016\107'
