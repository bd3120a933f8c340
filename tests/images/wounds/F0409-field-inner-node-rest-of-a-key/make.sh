# inner node, rest of a key: 313030303538 instead of 303030303538 at byte 524376; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\050\044\140\075'
put 20476 '\161\363\145\146'
put 49272 '\050\044\140\075'
put 53244 '\161\363\145\146'
put 66564 '\142\171\157\023'
put 327680 '\334\132\120\245'
put 331776 '\334\132\120\245'
put 524288 '\142\171\157\023'
put 524376 '\061'
