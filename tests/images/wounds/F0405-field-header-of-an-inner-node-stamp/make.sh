# header of an inner node, stamp: 2700000000000000 instead of 2600000000000000 at byte 524304; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\066\275\016\020'
put 20476 '\324\171\326\042'
put 49272 '\066\275\016\020'
put 53244 '\324\171\326\042'
put 66564 '\151\252\003\040'
put 327680 '\326\200\133\116'
put 331776 '\326\200\133\116'
put 524288 '\151\252\003\040'
put 524304 '\047'
