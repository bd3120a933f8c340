# branch, length of the last snapshot: 0100 instead of 0000 at byte 536533; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\210\006\156\215'
put 20476 '\117\024\366\032'
put 49272 '\210\006\156\215'
put 53244 '\117\024\366\032'
put 66580 '\117\230\012\277'
put 335872 '\045\101\047\071'
put 339968 '\045\101\047\071'
put 532480 '\117\230\012\277'
put 536533 '\001'
