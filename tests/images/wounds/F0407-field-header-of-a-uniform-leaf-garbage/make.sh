# header of a uniform leaf, garbage: 01000000 instead of 00000000 at byte 520244; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\121\143\161\101'
put 20476 '\044\176\067\064'
put 49272 '\121\143\161\101'
put 53244 '\044\176\067\064'
put 66556 '\324\006\334\214'
put 327680 '\351\353\126\204'
put 331776 '\351\353\126\204'
put 520192 '\324\006\334\214'
put 520244 '\001'
