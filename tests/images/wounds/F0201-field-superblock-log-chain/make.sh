# superblock, log chain: 2902a09c instead of 2802a09c at byte 16544; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 16544 '\051'
put 20476 '\156\000\142\026'
put 49312 '\051'
put 53244 '\156\000\142\026'
