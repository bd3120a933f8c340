# extent, pages of a run: 18000000 instead of 19000000 at byte 716762; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\162\131\137\312'
put 20476 '\344\216\305\353'
put 49272 '\162\131\137\312'
put 53244 '\344\216\305\353'
put 66932 '\267\143\202\303'
put 327680 '\366\257\007\334'
put 331776 '\366\257\007\334'
put 712704 '\267\143\202\303'
put 716762 '\030'
