# directory entry, present: 00 instead of 01 at byte 327689; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\024\274\222\170'
put 20476 '\273\220\206\126'
put 49272 '\024\274\222\170'
put 53244 '\273\220\206\126'
put 327689 '\000'
put 331785 '\000'
