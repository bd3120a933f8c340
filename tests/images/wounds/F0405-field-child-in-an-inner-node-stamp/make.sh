# child in an inner node, stamp: 2700000000000000 instead of 2600000000000000 at byte 528366; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\321\371\243\026'
put 20476 '\044\053\074\076'
put 49272 '\321\371\243\026'
put 53244 '\044\053\074\076'
put 66564 '\326\027\016\211'
put 327680 '\033\252\301\307'
put 331776 '\033\252\301\307'
put 524288 '\326\027\016\211'
put 528366 '\047'
