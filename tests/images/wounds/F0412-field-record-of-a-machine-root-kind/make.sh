# record of a machine, root: kind: 05 instead of 04 at byte 515974; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\203\170\101\111'
put 20476 '\045\321\154\135'
put 49272 '\203\170\101\111'
put 53244 '\045\321\154\135'
put 66540 '\022\157\125\126'
put 335872 '\367\140\255\207'
put 339968 '\367\140\255\207'
put 512000 '\022\157\125\126'
put 515974 '\005'
