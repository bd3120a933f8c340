# header of a uniform leaf, level: 01 instead of 00 at byte 520197; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\127\007\277\370'
put 20476 '\261\206\261\035'
put 49272 '\127\007\277\370'
put 53244 '\261\206\261\035'
put 66556 '\325\067\156\135'
put 335872 '\214\364\137\160'
put 339968 '\214\364\137\160'
put 520192 '\325\067\156\135'
put 520197 '\001'
