# record of a table, root: kind: 02 instead of 03 at byte 516006; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\136\011\215\307'
put 20476 '\316\213\350\154'
put 49272 '\136\011\215\307'
put 53244 '\316\213\350\154'
put 66540 '\242\301\237\306'
put 327680 '\074\047\146\273'
put 331776 '\074\047\146\273'
put 512000 '\242\301\237\306'
put 516006 '\002'
