# bookmark, stamp: 0d00000000000000 instead of 0c00000000000000 at byte 536258; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\047\300\320\010'
put 20476 '\342\345\251\134'
put 49272 '\047\300\320\010'
put 53244 '\342\345\251\134'
put 66580 '\136\000\354\172'
put 335872 '\215\135\211\032'
put 339968 '\215\135\211\032'
put 532480 '\136\000\354\172'
put 536258 '\015'
