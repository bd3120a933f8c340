# Begins each make.sh: unpacks the store $base to the file that make.sh is given, and `put` changes bytes of it.
if [ -z "$1" ]; then
    echo "usage: sh make.sh FILE" >&2
    exit 2
fi
file=$1
gunzip -c "$(dirname "$0")/../$base" > "$file" || exit 1
put() {
    printf "$2" | dd of="$file" bs=1 seek="$1" conv=notrunc 2> /dev/null
}
