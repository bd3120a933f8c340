# header of an inner node, key area length: 07000000 instead of 06000000 at byte 524332; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\121\143\161\101'
put 20476 '\044\176\067\064'
put 49272 '\121\143\161\101'
put 53244 '\044\176\067\064'
put 66564 '\036\154\167\147'
put 327680 '\351\353\126\204'
put 331776 '\351\353\126\204'
put 524288 '\036\154\167\147'
put 524332 '\007'
