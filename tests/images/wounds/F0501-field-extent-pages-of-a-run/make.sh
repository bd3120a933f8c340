# extent, pages of a run: 18000000 instead of 19000000 at byte 716762; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\122\075\255\327'
put 20476 '\366\267\131\050'
put 49272 '\122\075\255\327'
put 53244 '\366\267\131\050'
put 66932 '\347\241\147\000'
put 335872 '\025\170\016\014'
put 339968 '\025\170\016\014'
put 712704 '\347\241\147\000'
put 716762 '\030'
