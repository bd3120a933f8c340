# record of a machine, root: stamp: ffffffffffffffff instead of 2400000000000000 at byte 515976; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\275\277\216\012'
put 20476 '\352\111\320\124'
put 49272 '\275\277\216\012'
put 53244 '\352\111\320\124'
put 66540 '\107\131\030\252'
put 335872 '\176\042\066\231'
put 339968 '\176\042\066\231'
put 512000 '\107\131\030\252'
put 515976 '\377\377\377\377\377\377\377\377'
