# directory entry, free: 47000000 instead of 46000000 at byte 327684; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\330\050\177\166'
put 20476 '\111\371\316\011'
put 49272 '\330\050\177\166'
put 53244 '\111\371\316\011'
put 327684 '\107'
put 331780 '\107'
