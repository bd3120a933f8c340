# stream that is being received, position: 006100 instead of 016100 at byte 536315; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\025\163\047\020'
put 20476 '\163\150\245\106'
put 49272 '\025\163\047\020'
put 53244 '\163\150\245\106'
put 66580 '\200\145\066\174'
put 327680 '\101\103\333\250'
put 331776 '\101\103\333\250'
put 532480 '\200\145\066\174'
put 536315 '\000'
