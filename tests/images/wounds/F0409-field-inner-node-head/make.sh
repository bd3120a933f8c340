# inner node, head: 2179656b instead of 2079656b at byte 524356; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\352\175\102\250'
put 20476 '\240\245\033\006'
put 49272 '\352\175\102\250'
put 53244 '\240\245\033\006'
put 66564 '\011\261\216\237'
put 335872 '\362\055\155\246'
put 339968 '\362\055\155\246'
put 524288 '\011\261\216\237'
put 524356 '\041'
