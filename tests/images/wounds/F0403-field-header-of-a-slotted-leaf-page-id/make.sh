# header of a slotted leaf, page id: 7c00000000000000 instead of 7d00000000000000 at byte 512008; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\133\147\200\263'
put 20476 '\303\264\375\027'
put 49272 '\133\147\200\263'
put 53244 '\303\264\375\027'
put 66540 '\251\165\306\253'
put 335872 '\267\343\130\123'
put 339968 '\267\343\130\123'
put 512000 '\251\165\306\253'
put 512008 '\174'
