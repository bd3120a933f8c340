# log record, crc: a25f1f8e instead of a35f1f8e at byte 1097728; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 1097728 '\242'
