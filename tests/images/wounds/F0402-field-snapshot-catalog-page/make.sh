# snapshot, catalog: page: ac0000000000 instead of ad0000000000 at byte 536106; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\304\060\337\072'
put 20476 '\205\354\273\261'
put 49272 '\304\060\337\072'
put 53244 '\205\354\273\261'
put 66580 '\342\250\007\114'
put 335872 '\357\305\213\002'
put 339968 '\357\305\213\002'
put 532480 '\342\250\007\114'
put 536106 '\254'
