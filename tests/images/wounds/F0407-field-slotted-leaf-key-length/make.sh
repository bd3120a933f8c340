# slotted leaf, key length: 0400 instead of 0500 at byte 512082; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\225\262\201\263'
put 20476 '\355\122\211\365'
put 49272 '\225\262\201\263'
put 53244 '\355\122\211\365'
put 66540 '\104\207\144\226'
put 335872 '\342\175\236\147'
put 339968 '\342\175\236\147'
put 512000 '\104\207\144\226'
put 512082 '\004'
