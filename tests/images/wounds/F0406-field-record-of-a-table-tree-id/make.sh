# record of a table, tree id: 0000090000000000 instead of 0100090000000000 at byte 516016; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\310\043\167\264'
put 20476 '\145\030\357\275'
put 49272 '\310\043\167\264'
put 53244 '\145\030\357\275'
put 66540 '\310\156\277\071'
put 327680 '\166\061\222\244'
put 331776 '\166\061\222\244'
put 512000 '\310\156\277\071'
put 516016 '\000'
