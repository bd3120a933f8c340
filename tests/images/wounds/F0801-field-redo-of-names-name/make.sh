# redo of names, name: 6c61696e instead of 6d61696e at byte 1118274; the checksums over it are made right.
base=running.cow.gz
. "$(dirname "$0")/../put.sh"
put 1118208 '\011\022\146\365'
put 1118274 '\154'
put 1122304 '\152\062\304\326'
put 1122312 '\011\022\146\365'
put 1126400 '\140\052\271\125'
put 1126408 '\152\062\304\326'
put 1130496 '\226\227\202\067'
put 1130504 '\140\052\271\125'
