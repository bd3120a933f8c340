# record of a table, tree id: 0000090000000000 instead of 0100090000000000 at byte 516016; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\350\107\205\251'
put 20476 '\167\041\163\176'
put 49272 '\350\107\205\251'
put 53244 '\167\041\163\176'
put 66540 '\171\117\041\337'
put 335872 '\225\346\233\164'
put 339968 '\225\346\233\164'
put 512000 '\171\117\041\337'
put 516016 '\000'
