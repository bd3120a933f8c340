# uniform leaf, prefix: 6a6579203030 instead of 6b6579203030 at byte 659520; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\150\260\325\111'
put 20476 '\001\353\376\237'
put 49272 '\150\260\325\111'
put 53244 '\001\353\376\237'
put 66828 '\224\125\356\067'
put 327680 '\211\121\354\134'
put 331776 '\211\121\354\134'
put 659456 '\224\125\356\067'
put 659520 '\152'
