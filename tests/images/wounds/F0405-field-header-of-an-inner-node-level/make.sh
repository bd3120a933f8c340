# header of an inner node, level: 00 instead of 01 at byte 524293; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\360\374\045\355'
put 20476 '\126\304\341\206'
put 49272 '\360\374\045\355'
put 53244 '\126\304\341\206'
put 66564 '\057\351\155\366'
put 327680 '\004\123\117\175'
put 331776 '\004\123\117\175'
put 524288 '\057\351\155\366'
put 524293 '\000'
