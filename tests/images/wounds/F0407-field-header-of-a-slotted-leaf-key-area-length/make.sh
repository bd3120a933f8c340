# header of a slotted leaf, key area length: 06000000 instead of 07000000 at byte 512044; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\256\232\316\210'
put 20476 '\267\257\324\274'
put 49272 '\256\232\316\210'
put 53244 '\267\257\324\274'
put 66540 '\364\073\263\044'
put 327680 '\116\302\000\327'
put 331776 '\116\302\000\327'
put 512000 '\364\073\263\044'
put 512044 '\006'
