# header of a slotted leaf, value length: 0100 instead of 0000 at byte 512058; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\243\321\172\311'
put 20476 '\344\344\003\071'
put 49272 '\243\321\172\311'
put 53244 '\344\344\003\071'
put 66540 '\150\052\302\265'
put 335872 '\115\230\267\353'
put 339968 '\115\230\267\353'
put 512000 '\150\052\302\265'
put 512058 '\001'
