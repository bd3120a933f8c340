# release of an extent, start of a run: b90000000000 instead of b80000000000 at byte 536223; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\354\160\247\310'
put 20476 '\315\271\077\230'
put 49272 '\354\160\247\310'
put 53244 '\315\271\077\230'
put 66580 '\345\306\337\301'
put 335872 '\016\213\322\145'
put 339968 '\016\213\322\145'
put 532480 '\345\306\337\301'
put 536223 '\271'
