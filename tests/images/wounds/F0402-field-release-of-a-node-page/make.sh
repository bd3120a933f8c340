# release of a node, page: ac0000000000 instead of ad0000000000 at byte 536234; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\350\141\236\356'
put 20476 '\165\126\374\360'
put 49272 '\350\141\236\356'
put 53244 '\165\126\374\360'
put 66580 '\316\056\310\017'
put 327680 '\247\314\166\116'
put 331776 '\247\314\166\116'
put 532480 '\316\056\310\017'
put 536234 '\254'
