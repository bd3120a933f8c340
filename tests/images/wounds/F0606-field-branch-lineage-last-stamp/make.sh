# branch, lineage: last stamp: feffffffffffffff instead of ffffffffffffffff at byte 536560; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\156\301\365\277'
put 20476 '\022\206\337\327'
put 49272 '\156\301\365\277'
put 53244 '\022\206\337\327'
put 66580 '\045\377\161\126'
put 335872 '\226\121\313\102'
put 339968 '\226\121\313\102'
put 532480 '\045\377\161\126'
put 536560 '\376'
