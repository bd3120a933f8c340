#!/usr/bin/env bash
# Makes the dump files of this folder anew, with the tools named in README.md.
# The files are committed; run this only to add one.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

header() { # mapsize, then further header lines
  printf 'VERSION=3\nformat=bytevalue\n'
  [ $# -lt 2 ] || printf '%s\n' "${@:2}"
  printf 'type=btree\nmapsize=%s\nmaxreaders=126\nHEADER=END\n' "$1"
}
pair() { printf ' %s\n %s\n' "$(printf '%s' "$1" | xxd -p | tr -d '\n')" "$(printf '%s' "$2" | xxd -p | tr -d '\n')"; }
every_byte() { # a key of each single byte but those given, its value the byte and its complement
  for ((i = 0; i < 256; i++)); do
    [[ " $* " == *" $i "* ]] || printf ' %02x\n %02x%02x\n' "$i" "$i" $((255 - i))
  done
}
load() { mkdir "$work/$1"; mdb_load -f "$work/$1.in" "$work/$1"; } # mdb_load sorts by itself

# Every byte value in keys and values, an empty value, a long one, spaces at both ends, UTF-8.
{
  header 1048576
  every_byte
  pair 'empty' ''
  pair ' spaces ' ' at both ends '
  pair 'back\slash' 'a \ and a \\'
  pair 'grüße' '日本語'
  printf ' %s\n ' "$(printf 'long' | xxd -p)"
  for ((i = 0; i < 5000; i++)); do printf '%02x' $((i * 7 % 256)); done
  printf '\nDATA=END\n'
} >"$work/bytes.in"
load bytes
mdb_dump "$work/bytes" >bytes.bytevalue.dump

# The same twice, once in each form, without any backslash (92, and 163 whose complement it is), which this mdb_dump -p garbles.
{ header 1048576; every_byte 92 163; pair ' spaces ' ' at both ends '; pair 'grüße' '日本語'; echo DATA=END; } >"$work/twice.in"
load twice
mdb_dump "$work/twice" >twice.bytevalue.dump
mdb_dump -p "$work/twice" >twice.print.dump

# What mdb_dump -p makes of a backslash: itself, which no reader can tell from an escape.
{ header 1048576; pair 'back\slash' 'value'; echo DATA=END; } >"$work/backslash.in"
load backslash
mdb_dump -p "$work/backslash" >backslash.print.dump

# Two named databases in one environment, all in one file.
{
  header 1048576 database=fruit
  pair apple red; pair banana yellow; pair cherry 'dark red'
  echo DATA=END
  header 1048576 database=tree
  pair birch fast; pair oak slow
  echo DATA=END
} >"$work/named.in"
load named
mdb_dump -a "$work/named" >named.bytevalue.dump
mdb_dump -a -p "$work/named" >named.print.dump

# Several values under one key.
{ header 1048576 database=dups dupsort=1; pair k one; pair k two; echo DATA=END; } >"$work/dups.in"
load dups
mdb_dump -s dups "$work/dups" >dups.bytevalue.dump

# Berkeley DB: a btree in both forms, a hash, a btree with duplicates, a queue of records.
tail -n +8 bytes.bytevalue.dump >"$work/records"
berkeley() { # type, further arguments of db_load
  { printf 'VERSION=3\nformat=bytevalue\ntype=%s\n' "$1"; [ $# -lt 2 ] || printf '%s\n' "${@:2}"; printf 'HEADER=END\n'; cat; } | db5.3_load "$work/$1.db"
}
berkeley btree <"$work/records"
db5.3_dump "$work/btree.db" >berkeley-btree.bytevalue.dump
db5.3_dump -p "$work/btree.db" >berkeley-btree.print.dump
{ pair apple red; pair banana yellow; echo DATA=END; } | berkeley hash
db5.3_dump -p "$work/hash.db" >berkeley-hash.print.dump
rm "$work/btree.db"
{ pair k one; pair k two; echo DATA=END; } | berkeley btree duplicates=1
db5.3_dump -p "$work/btree.db" >berkeley-dups.print.dump
printf ' one\n two\nDATA=END\n' | { printf 'VERSION=3\nformat=print\ntype=recno\nkeys=0\nHEADER=END\n'; cat; } | db5.3_load "$work/recno.db"
db5.3_dump -p "$work/recno.db" >berkeley-recno.print.dump
