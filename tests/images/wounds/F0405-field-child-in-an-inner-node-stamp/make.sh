# child in an inner node, stamp: 2700000000000000 instead of 2600000000000000 at byte 528366; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\361\235\121\013'
put 20476 '\066\022\240\375'
put 49272 '\361\235\121\013'
put 53244 '\066\022\240\375'
put 66564 '\206\325\353\112'
put 335872 '\370\175\310\027'
put 339968 '\370\175\310\027'
put 524288 '\206\325\353\112'
put 528366 '\047'
