# slotted leaf, value offset: a10f instead of a00f at byte 512084; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\210\246\020\345'
put 20476 '\066\375\163\010'
put 49272 '\210\246\020\345'
put 53244 '\066\375\163\010'
put 66540 '\106\215\325\216'
put 327680 '\171\116\205\134'
put 331776 '\171\116\205\134'
put 512000 '\106\215\325\216'
put 512084 '\241'
