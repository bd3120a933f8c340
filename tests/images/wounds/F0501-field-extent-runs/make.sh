# extent, runs: 0000 instead of 0100 at byte 716752; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\160\211\020\255'
put 20476 '\126\160\023\364'
put 49272 '\160\211\020\255'
put 53244 '\126\160\023\364'
put 66932 '\211\162\273\163'
put 327680 '\110\223\323\347'
put 331776 '\110\223\323\347'
put 712704 '\211\162\273\163'
put 716752 '\000'
