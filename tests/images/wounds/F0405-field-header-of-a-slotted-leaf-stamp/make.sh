# header of a slotted leaf, stamp: 2700000000000000 instead of 2600000000000000 at byte 512016; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\320\012\340\224'
put 20476 '\240\072\170\207'
put 49272 '\320\012\340\224'
put 53244 '\240\072\170\207'
put 66540 '\203\375\307\143'
put 327680 '\352\056\165\061'
put 331776 '\352\056\165\061'
put 512000 '\203\375\307\143'
put 512016 '\047'
