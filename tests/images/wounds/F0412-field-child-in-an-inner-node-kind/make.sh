# child in an inner node, kind: 02 instead of 03 at byte 528364; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\176\217\336\076'
put 20476 '\202\132\121\041'
put 49272 '\176\217\336\076'
put 53244 '\202\132\121\041'
put 66564 '\161\232\073\003'
put 327680 '\001\036\073\107'
put 331776 '\001\036\073\107'
put 524288 '\161\232\073\003'
put 528364 '\002'
