# extent, zero: 0100 instead of 0000 at byte 716754; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\252\300\230\070'
put 20476 '\222\260\032\127'
put 49272 '\252\300\230\070'
put 53244 '\222\260\032\127'
put 66932 '\306\005\303\061'
put 327680 '\322\136\212\020'
put 331776 '\322\136\212\020'
put 712704 '\306\005\303\061'
put 716754 '\001'
