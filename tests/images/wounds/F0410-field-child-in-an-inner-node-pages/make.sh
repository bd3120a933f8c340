# child in an inner node, pages: 00000000 instead of 01000000 at byte 528380; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\162\373\305\050'
put 20476 '\200\233\130\130'
put 49272 '\162\373\305\050'
put 53244 '\200\233\130\130'
put 66564 '\122\306\340\336'
put 327680 '\271\332\230\341'
put 331776 '\271\332\230\341'
put 524288 '\122\306\340\336'
put 528380 '\000'
