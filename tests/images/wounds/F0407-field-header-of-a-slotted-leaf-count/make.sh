# header of a slotted leaf, count: 0500 instead of 0400 at byte 512006; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\356\034\254\052'
put 20476 '\350\232\263\264'
put 49272 '\356\034\254\052'
put 53244 '\350\232\263\264'
put 66540 '\143\136\123\115'
put 335872 '\373\140\144\367'
put 339968 '\373\140\144\367'
put 512000 '\143\136\123\115'
put 512006 '\005'
