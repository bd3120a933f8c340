# snapshot, branch: ffffffff instead of 6d61696e at byte 536148; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\355\205\067\257'
put 20476 '\173\102\014\231'
put 49272 '\355\205\067\257'
put 53244 '\173\102\014\231'
put 66580 '\024\073\243\173'
put 327680 '\036\222\033\123'
put 331776 '\036\222\033\123'
put 532480 '\024\073\243\173'
put 536148 '\377\377\377\377'
