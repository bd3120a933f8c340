# raw page, data: aa00000000000000… instead of ab00000000000000… at byte 380928; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16505 '\136\004\257'
put 20476 '\353\162\264\304'
put 49273 '\136\004\257'
put 53244 '\353\162\264\304'
put 66284 '\066\343\215\310'
put 327680 '\324\370\144\070'
put 331776 '\324\370\144\070'
put 380928 '\252'
