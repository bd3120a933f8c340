# extent, start of a run: b90000000000 instead of b80000000000 at byte 716756; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\141\234\011\376'
put 20476 '\075\332\371\204'
put 49272 '\141\234\011\376'
put 53244 '\075\332\371\204'
put 66932 '\147\144\307\247'
put 335872 '\021\325\144\064'
put 339968 '\021\325\144\064'
put 712704 '\147\144\307\247'
put 716756 '\271'
