# superblock, map slot: 00 instead of 01 at byte 16500; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16500 '\000'
put 20476 '\137\203\067\274'
put 49268 '\000'
put 53244 '\137\203\067\274'
