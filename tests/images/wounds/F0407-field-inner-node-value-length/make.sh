# inner node, value length: 1b00 instead of 1a00 at byte 524366; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\365\376\376\377'
put 20476 '\307\173\361\221'
put 49272 '\365\376\376\377'
put 53244 '\307\173\361\221'
put 66564 '\010\244\254\043'
put 327680 '\243\351\336\105'
put 331776 '\243\351\336\105'
put 524288 '\010\244\254\043'
put 524366 '\033'
