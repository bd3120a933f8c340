# slotted leaf, prefix: ffffffffffff instead of 6b6579203030 at byte 516160; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\273\275\037\162'
put 20476 '\045\300\201\307'
put 49272 '\273\275\037\162'
put 53244 '\045\300\201\307'
put 66548 '\123\245\055\372'
put 335872 '\025\241\212\107'
put 339968 '\025\241\212\107'
put 516096 '\123\245\055\372'
put 516160 '\377\377\377\377\377\377'
