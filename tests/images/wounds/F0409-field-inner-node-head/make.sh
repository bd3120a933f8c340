# inner node, head: 2179656b instead of 2079656b at byte 524356; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\312\031\260\265'
put 20476 '\262\234\207\305'
put 49272 '\312\031\260\265'
put 53244 '\262\234\207\305'
put 66564 '\131\163\153\134'
put 327680 '\021\372\144\166'
put 331776 '\021\372\144\166'
put 524288 '\131\163\153\134'
put 524356 '\041'
