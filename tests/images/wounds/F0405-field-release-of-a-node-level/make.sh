# release of a node, level: 01 instead of 00 at byte 536241; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\172\344\137\375'
put 20476 '\045\053\320\203'
put 49272 '\172\344\137\375'
put 53244 '\045\053\320\203'
put 66580 '\372\135\343\271'
put 327680 '\152\007\001\242'
put 331776 '\152\007\001\242'
put 532480 '\372\135\343\271'
put 536241 '\001'
