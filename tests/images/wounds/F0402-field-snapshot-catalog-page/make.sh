# snapshot, catalog: page: ac0000000000 instead of ad0000000000 at byte 536106; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\344\124\055\047'
put 20476 '\227\325\047\162'
put 49272 '\344\124\055\047'
put 53244 '\227\325\047\162'
put 66580 '\354\034\072\366'
put 327680 '\014\022\202\322'
put 331776 '\014\022\202\322'
put 532480 '\354\034\072\366'
put 536106 '\254'
