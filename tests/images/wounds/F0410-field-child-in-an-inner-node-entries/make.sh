# child in an inner node, entries: 3b0000000000 instead of 3a0000000000 at byte 528374; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\231\125\165\214'
put 20476 '\263\366\256\067'
put 49272 '\231\125\165\214'
put 53244 '\263\366\256\067'
put 66564 '\131\010\173\112'
put 335872 '\046\205\310\062'
put 339968 '\046\205\310\062'
put 524288 '\131\010\173\112'
put 528374 '\073'
