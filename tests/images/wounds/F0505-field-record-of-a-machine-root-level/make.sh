# record of a machine, root: level: 07 instead of 06 at byte 515975; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\150\013\220\073'
put 20476 '\172\246\255\143'
put 49272 '\150\013\220\073'
put 53244 '\172\246\255\143'
put 66540 '\025\012\152\311'
put 327680 '\215\330\327\013'
put 331776 '\215\330\327\013'
put 512000 '\025\012\152\311'
put 515975 '\007'
