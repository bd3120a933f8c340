# release of an extent, length: a186010000000000 instead of a086010000000000 at byte 536199; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\142\062\264\122'
put 20476 '\372\142\276\152'
put 49272 '\142\062\264\122'
put 53244 '\372\142\276\152'
put 66580 '\221\166\025\270'
put 335872 '\115\217\144\356'
put 339968 '\115\217\144\356'
put 532480 '\221\166\025\270'
put 536199 '\241'
