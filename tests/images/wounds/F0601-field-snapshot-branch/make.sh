# snapshot, branch: ffffffff instead of 6d61696e at byte 536148; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\315\341\305\262'
put 20476 '\151\173\220\132'
put 49272 '\315\341\305\262'
put 53244 '\151\173\220\132'
put 66580 '\032\217\236\301'
put 335872 '\375\105\022\203'
put 339968 '\375\105\022\203'
put 532480 '\032\217\236\301'
put 536148 '\377\377\377\377'
