# branch, incoming: 0000000000000000 instead of 0100000000000000 at byte 536568; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\304\207\115\061'
put 20476 '\363\116\151\005'
put 49272 '\304\207\115\061'
put 53244 '\363\116\151\005'
put 66580 '\044'
put 66582 '\216\216'
put 327680 '\234\072\144\211'
put 331776 '\234\072\144\211'
put 532480 '\044'
put 532482 '\216\216'
put 536568 '\000'
