# branch, lineage: count: 03 instead of 02 at byte 536535; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\174\350\062\205'
put 20476 '\112\330\053\227'
put 49272 '\174\350\062\205'
put 53244 '\112\330\053\227'
put 66580 '\025\376\016\020'
put 335872 '\001\055\017\224'
put 339968 '\001\055\017\224'
put 532480 '\025\376\016\020'
put 536535 '\003'
