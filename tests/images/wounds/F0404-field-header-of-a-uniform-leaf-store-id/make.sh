# header of a uniform leaf, store id: ee99deb150e7a3e1 instead of ef99deb150e7a3e1 at byte 520224; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\276\204\245\265'
put 20476 '\104\044\330\231'
put 49272 '\276\204\245\265'
put 53244 '\104\044\330\231'
put 66556 '\347\321\331\101'
put 327680 '\012\201\230\170'
put 331776 '\012\201\230\170'
put 520192 '\347\321\331\101'
put 520224 '\356'
