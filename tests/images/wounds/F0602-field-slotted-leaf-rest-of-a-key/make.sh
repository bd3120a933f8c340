# slotted leaf, rest of a key: ff instead of 73 at byte 512115; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\111\034\033\143'
put 20476 '\101\267\032\372'
put 49272 '\111\034\033\143'
put 53244 '\101\267\032\372'
put 66540 '\300\143\200\262'
put 335872 '\224\144\077\270'
put 339968 '\224\144\077\270'
put 512000 '\300\143\200\262'
put 512115 '\377'
