# superblock, log blocks: 0102000000000000 instead of 0002000000000000 at byte 16520; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 16520 '\001'
put 20476 '\303\301\225\241'
put 49288 '\001'
put 53244 '\303\301\225\241'
