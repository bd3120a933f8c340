# log record, crc: b15194f6 instead of b05194f6 at byte 1097728; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 1097728 '\261'
