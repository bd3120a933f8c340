# header of an inner node, value length: 0100 instead of 0000 at byte 524346; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\225\262\201\263'
put 20476 '\355\122\211\365'
put 49272 '\225\262\201\263'
put 53244 '\355\122\211\365'
put 66564 '\143\236\175\323'
put 335872 '\342\175\236\147'
put 339968 '\342\175\236\147'
put 524288 '\143\236\175\323'
put 524346 '\001'
