# map entry of an extent's other page, crc: 56b6d65b instead of 57b6d65b at byte 66996; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\025\030\107\212'
put 20476 '\275\200\142'
put 49272 '\025\030\107\212'
put 53244 '\275\200\142'
put 66996 '\126'
put 335872 '\264\153\274\151'
put 339968 '\264\153\274\151'
