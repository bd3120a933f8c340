# header of an inner node, prefix length: 0100 instead of 0000 at byte 524328; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\333\137\011\350'
put 20476 '\266\372\304\124'
put 49272 '\333\137\011\350'
put 53244 '\266\372\304\124'
put 66564 '\077\113\203\340'
put 335872 '\172\361\361\147'
put 339968 '\172\361\361\147'
put 524288 '\077\113\203\340'
put 524328 '\001'
