# superblock, log chain: 26011e6a instead of 27011e6a at byte 16544; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 16544 '\046'
put 20476 '\174\071\376\325'
put 49312 '\046'
put 53244 '\174\071\376\325'
