# map entry of the log, count: 00000000 instead of 01000000 at byte 67552; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\115\242\242\057'
put 20476 '\336\203\130\164'
put 49256 '\113'
put 49272 '\115\242\242\057'
put 53244 '\336\203\130\164'
put 67552 '\000'
put 327680 '\261\214\374\045\107'
put 331776 '\261\214\374\045\107'
