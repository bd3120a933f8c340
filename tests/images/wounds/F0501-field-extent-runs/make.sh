# extent, runs: 0000 instead of 0100 at byte 716752; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\120\355\342\260'
put 20476 '\104\111\217\067'
put 49272 '\120\355\342\260'
put 53244 '\104\111\217\067'
put 66932 '\331\260\136\260'
put 335872 '\253\104\332\067'
put 339968 '\253\104\332\067'
put 712704 '\331\260\136\260'
put 716752 '\000'
