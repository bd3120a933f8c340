# table of a machine, zero: 01 instead of 00 at byte 503815; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\015\074\076\116'
put 20476 '\066\377\034\205'
put 49272 '\015\074\076\116'
put 53244 '\066\377\034\205'
put 66524 '\356\101\134\262'
put 335872 '\073\075\273\142'
put 339968 '\073\075\273\142'
put 503815 '\001'
