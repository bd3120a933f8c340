# header of a slotted leaf, prefix length: 0100 instead of 0000 at byte 512040; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\066\275\016\020'
put 20476 '\324\171\326\042'
put 49272 '\066\275\016\020'
put 53244 '\324\171\326\042'
put 66540 '\205\336\242\140'
put 327680 '\326\200\133\116'
put 331776 '\326\200\133\116'
put 512000 '\205\336\242\140'
put 512040 '\001'
