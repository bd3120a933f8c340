# branch, last snapshot: ffffffffffffffff… instead of 7765646e65736461… at byte 536443; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\206\143\110\266'
put 20476 '\016\011\163\174'
put 49272 '\206\143\110\266'
put 53244 '\016\011\163\174'
put 66580 '\240\165\035\003'
put 335872 '\030\064\021\102'
put 339968 '\030\064\021\102'
put 532480 '\240\165\035\003'
put 536443 '\377\377\377\377\377\377\377\377\377'
