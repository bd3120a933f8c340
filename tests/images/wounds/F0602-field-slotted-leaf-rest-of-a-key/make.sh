# slotted leaf, rest of a key: ff instead of 73 at byte 512115; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\151\170\351\176'
put 20476 '\123\216\206\071'
put 49272 '\151\170\351\176'
put 53244 '\123\216\206\071'
put 66540 '\161\102\036\124'
put 327680 '\167\263\066\150'
put 331776 '\167\263\066\150'
put 512000 '\161\102\036\124'
put 512115 '\377'
