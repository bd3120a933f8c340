# branch, catalog: page: 010000000000 instead of 000000000000 at byte 536493; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\337\112\276\224'
put 20476 '\316\352\371\132'
put 49272 '\337\112\276\224'
put 53244 '\316\352\371\132'
put 66580 '\112\272\146\376'
put 335872 '\116\206\052\041'
put 339968 '\116\206\052\041'
put 532480 '\112\272\146\376'
put 536493 '\001'
