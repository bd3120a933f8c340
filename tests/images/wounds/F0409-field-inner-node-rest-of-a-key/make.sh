# inner node, rest of a key: 313030303538 instead of 303030303538 at byte 524376; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\010\100\222\040'
put 20476 '\143\312\371\245'
put 49272 '\010\100\222\040'
put 53244 '\143\312\371\245'
put 66564 '\062\273\212\320'
put 335872 '\077\215\131\165'
put 339968 '\077\215\131\165'
put 524288 '\062\273\212\320'
put 524376 '\061'
