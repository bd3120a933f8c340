# branch, catalog: level: 01 instead of 00 at byte 536414; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\203\170\101\111'
put 20476 '\045\321\154\135'
put 49272 '\203\170\101\111'
put 53244 '\045\321\154\135'
put 66580 '\050\227\154\027'
put 335872 '\367\140\255\207'
put 339968 '\367\140\255\207'
put 532480 '\050\227\154\027'
put 536414 '\001'
