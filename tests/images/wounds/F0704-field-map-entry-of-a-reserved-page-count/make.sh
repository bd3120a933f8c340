# map entry of a reserved page, count: 00000000 instead of 01000000 at byte 65536; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16488 '\113'
put 16504 '\032\272\353\336'
put 20476 '\336\157\212\327'
put 49256 '\113'
put 49272 '\032\272\353\336'
put 53244 '\336\157\212\327'
put 65536 '\000'
put 335872 '\300\261\234\336\107'
put 339968 '\300\261\234\336\107'
