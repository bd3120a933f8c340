# superblock, magic: 424f57534c49500a instead of 434f57534c49500a at byte 16384; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16384 '\102'
put 20476 '\001\223\302\200'
put 49152 '\102'
put 53244 '\001\223\302\200'
