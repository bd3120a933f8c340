# header of a slotted leaf, count: 0500 instead of 0400 at byte 512006; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\316\170\136\067'
put 20476 '\372\243\057\167'
put 49272 '\316\170\136\067'
put 53244 '\372\243\057\167'
put 66540 '\322\177\315\253'
put 327680 '\030\267\155\047'
put 331776 '\030\267\155\047'
put 512000 '\322\177\315\253'
put 512006 '\005'
