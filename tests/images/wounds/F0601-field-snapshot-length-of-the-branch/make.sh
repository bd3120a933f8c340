# snapshot, length of the branch: 0500 instead of 0400 at byte 536146; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\261\304\256\225'
put 20476 '\361\370\023\151'
put 49272 '\261\304\256\225'
put 53244 '\361\370\023\151'
put 66580 '\301\236\053\156'
put 335872 '\151\377\131\172'
put 339968 '\151\377\131\172'
put 532480 '\301\236\053\156'
put 536146 '\005'
