# child in an inner node, level: 01 instead of 00 at byte 528365; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\171\044\043\346'
put 20476 '\111\005\176\022'
put 49272 '\171\044\043\346'
put 53244 '\111\005\176\022'
put 66564 '\157\041\276\261'
put 327680 '\027\227\004\116'
put 331776 '\027\227\004\116'
put 524288 '\157\041\276\261'
put 528365 '\001'
