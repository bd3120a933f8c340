# release of an extent, start of a run: b90000000000 instead of b80000000000 at byte 536223; the checksums over it are made right.
base=closed.cow.gz
. "$(dirname "$0")/../put.sh"
put 16504 '\314\024\125\325'
put 20476 '\337\200\243\133'
put 49272 '\314\024\125\325'
put 53244 '\337\200\243\133'
put 66580 '\353\162\342\173'
put 327680 '\355\134\333\265'
put 331776 '\355\134\333\265'
put 532480 '\353\162\342\173'
put 536223 '\271'
