# header of a uniform leaf, value length: 3800 instead of 3900 at byte 520250; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\137\000\171\052'
put 20476 '\230\263\010\104'
put 49272 '\137\000\171\052'
put 53244 '\230\263\010\104'
put 66556 '\231\100\176\170'
put 327680 '\071\074\230\104'
put 331776 '\071\074\230\104'
put 520192 '\231\100\176\170'
put 520250 '\070'
