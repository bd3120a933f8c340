# header of a slotted leaf, level: 01 instead of 00 at byte 512005; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\015\324\012\153'
put 20476 '\022\351\134\163'
put 49272 '\015\324\012\153'
put 53244 '\022\351\134\163'
put 66540 '\305\276\251\265'
put 327680 '\260\152\355\327'
put 331776 '\260\152\355\327'
put 512000 '\305\276\251\265'
put 512005 '\001'
