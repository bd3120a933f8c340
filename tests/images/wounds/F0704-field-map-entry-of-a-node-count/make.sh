# map entry of a node, count: 00000000 instead of 01000000 at byte 66536; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\104\037\162\301'
put 20476 '\317\310\110\024'
put 49256 '\113'
put 49272 '\104\037\162\301'
put 53244 '\317\310\110\024'
put 66536 '\000'
put 335872 '\241\001\101\146\107'
put 339968 '\241\001\101\146\107'
