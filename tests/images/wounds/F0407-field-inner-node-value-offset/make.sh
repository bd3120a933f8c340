# inner node, value offset: e70f instead of e60f at byte 524364; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\046\022\122\121'
put 20476 '\224\004\151\077'
put 49272 '\046\022\122\121'
put 53244 '\224\004\151\077'
put 66564 '\164\072\350\116'
put 327680 '\204\250\362\204'
put 331776 '\204\250\362\204'
put 524288 '\164\072\350\116'
put 524364 '\347'
