# snapshot, catalog: kind: 03 instead of 02 at byte 536112; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\103\004\342\372'
put 20476 '\271\154\243'
put 49272 '\103\004\342\372'
put 53244 '\271\154\243'
put 66580 '\151\261\222\335'
put 327680 '\277\113\266\202'
put 331776 '\277\113\266\202'
put 532480 '\151\261\222\335'
put 536112 '\003'
