# record of a table, root: page: af0000000000 instead of ae0000000000 at byte 516000; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\206\020\003\057'
put 20476 '\351\060\220\237'
put 49272 '\206\020\003\057'
put 53244 '\351\060\220\237'
put 66540 '\037\173\236\372'
put 327680 '\260\211\212\033'
put 331776 '\260\211\212\033'
put 512000 '\037\173\236\372'
put 516000 '\257'
