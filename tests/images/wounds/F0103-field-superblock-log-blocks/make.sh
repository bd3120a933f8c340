# superblock, log blocks: 0102000000000000 instead of 0002000000000000 at byte 16520; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 16520 '\001'
put 20476 '\321\370\011\142'
put 49288 '\001'
put 53244 '\321\370\011\142'
