# slotted leaf, value length: 2100 instead of 2000 at byte 512086; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\023\117\040\234'
put 20476 '\173\067\134\204'
put 49272 '\023\117\040\234'
put 53244 '\173\067\134\204'
put 66540 '\031\160\134\152'
put 327680 '\050\351\243\342'
put 331776 '\050\351\243\342'
put 512000 '\031\160\134\152'
put 512086 '\041'
