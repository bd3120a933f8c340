# snapshot, lineage: last stamp: 0d00000000000000 instead of 0c00000000000000 at byte 536173; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\103\242\354\354'
put 20476 '\377\307\366\123'
put 49272 '\103\242\354\354'
put 53244 '\377\307\366\123'
put 66580 '\104\341\230\160'
put 335872 '\245\127\362\221'
put 339968 '\245\127\362\221'
put 532480 '\104\341\230\160'
put 536173 '\015'
