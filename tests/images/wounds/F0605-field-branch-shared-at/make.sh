# branch, shared at: ffffffffffffffff instead of 1200000000000000 at byte 536509; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\066\357\277\146'
put 20476 '\352\203\336\357'
put 49272 '\066\357\277\146'
put 53244 '\352\203\336\357'
put 66580 '\336\041\041\320'
put 327680 '\102\100\255\134'
put 331776 '\102\100\255\134'
put 532480 '\336\041\041\320'
put 536509 '\377\377\377\377\377\377\377\377'
