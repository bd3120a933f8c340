# slotted leaf, key offset of no rest: 0100 instead of 0000 at byte 516398; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\104\306\105\342'
put 20476 '\125\264\205\171'
put 49272 '\104\306\105\342'
put 53244 '\125\264\205\171'
put 66548 '\301\060\176\253'
put 335872 '\355\200\055\363'
put 339968 '\355\200\055\363'
put 516096 '\301\060\176\253'
put 516398 '\001'
