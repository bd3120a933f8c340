# snapshot, parent: ffffffffffffff instead of 74756573646179 at byte 536074; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\127\343\336\150'
put 20476 '\131\256\126\067'
put 49272 '\127\343\336\150'
put 53244 '\131\256\126\067'
put 66580 '\003\131\213\043'
put 335872 '\263\032\103\077'
put 339968 '\263\032\103\077'
put 532480 '\003\131\213\043'
put 536074 '\377\377\377\377\377\377\377'
