# header of an inner node, zero: 01000000 instead of 00000000 at byte 524348; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\210\246\020\345'
put 20476 '\066\375\163\010'
put 49272 '\210\246\020\345'
put 53244 '\066\375\163\010'
put 66564 '\340\226\217\155'
put 327680 '\171\116\205\134'
put 331776 '\171\116\205\134'
put 524288 '\340\226\217\155'
put 524348 '\001'
