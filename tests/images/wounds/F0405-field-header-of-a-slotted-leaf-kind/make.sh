# header of a slotted leaf, kind: 03 instead of 02 at byte 512004; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\253\023\073\151'
put 20476 '\022\360\211\335'
put 49272 '\253\023\073\151'
put 53244 '\022\360\211\335'
put 66540 '\303\137\144\066'
put 327680 '\267\301\020\017'
put 331776 '\267\301\020\017'
put 512000 '\303\137\144\066\003'
