# header of a uniform leaf, tree id: 0000070000000000 instead of 0100070000000000 at byte 520216; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\066\275\016\020'
put 20476 '\324\171\326\042'
put 49272 '\066\275\016\020'
put 53244 '\324\171\326\042'
put 66556 '\070\244\377\053'
put 327680 '\326\200\133\116'
put 331776 '\326\200\133\116'
put 520192 '\070\244\377\053'
put 520216 '\000'
