# superblock, log sequence: 1500000000000000 instead of 1400000000000000 at byte 16536; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 16536 '\025'
put 20476 '\143\246\235\375'
put 49304 '\025'
put 53244 '\143\246\235\375'
