# header of an inner node, prefix length: 0100 instead of 0000 at byte 524328; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\373\073\373\365'
put 20476 '\244\303\130\227'
put 49272 '\373\073\373\365'
put 53244 '\244\303\130\227'
put 66564 '\157\211\146\043'
put 327680 '\231\046\370\267'
put 331776 '\231\046\370\267'
put 524288 '\157\211\146\043'
put 524328 '\001'
