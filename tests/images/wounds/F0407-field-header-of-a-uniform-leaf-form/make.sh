# header of a uniform leaf, form: 0000 instead of 0100 at byte 520234; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\243\321\172\311'
put 20476 '\344\344\003\071'
put 49272 '\243\321\172\311'
put 53244 '\344\344\003\071'
put 66556 '\000\137\314\154'
put 335872 '\115\230\267\353'
put 339968 '\115\230\267\353'
put 520192 '\000\137\314\154'
put 520234 '\000'
