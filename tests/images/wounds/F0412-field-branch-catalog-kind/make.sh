# branch, catalog: kind: 03 instead of 02 at byte 536413; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\214\044\152\130'
put 20476 '\124\210\140\226'
put 49272 '\214\044\152\130'
put 53244 '\124\210\140\226'
put 66580 '\054\160\162\273'
put 327680 '\233\357\053\336'
put 331776 '\233\357\053\336'
put 532480 '\054\160\162\273'
put 536413 '\003'
