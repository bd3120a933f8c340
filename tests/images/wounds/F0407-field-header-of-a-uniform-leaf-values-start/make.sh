# header of a uniform leaf, values start: 1b0b0000 instead of 1a0b0000 at byte 520240; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\333\137\011\350'
put 20476 '\266\372\304\124'
put 49272 '\333\137\011\350'
put 53244 '\266\372\304\124'
put 66556 '\246\127\131\322'
put 335872 '\172\361\361\147'
put 339968 '\172\361\361\147'
put 520192 '\246\127\131\322'
put 520240 '\033'
