# record of a table, root: page: af0000000000 instead of ae0000000000 at byte 516000; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\246\164\361\062'
put 20476 '\373\011\014\134'
put 49272 '\246\164\361\062'
put 53244 '\373\011\014\134'
put 66540 '\256\132\000\034'
put 335872 '\123\136\203\313'
put 339968 '\123\136\203\313'
put 512000 '\256\132\000\034'
put 516000 '\257'
