#!/bin/bash
# The checkers of others on data of about the same size: bench/checkers.sh DIR [MIB] [SNAPSHOTS]
# Makes each store in DIR, checks it three times with all in the system's cache, says the best, and deletes it.
# Where a tool or a right is missing, a line says so. What Cowslip takes: the program `checks`.
set -eu
dir=$(mkdir -p "$1" && mktemp -d "$1/checkers.XXXXXX")
mib=${2:-1024}
snapshots=${3:-1000}
mounted=
clean() {
    [ -z "$mounted" ] || umount "$mounted" || true
    rm -rf --one-file-system "$dir"
}
trap clean EXIT

# best NAME FILE COMMAND...: a check that fails ends the run.
best() {
    local name=$1 file=$2 least= start took
    shift 2
    sync
    # Into the cache.
    dd if="$file" of=/dev/null bs=1M status=none
    for _ in 1 2 3; do
        start=$(date +%s%N)
        "$@" >"$dir/said" 2>&1 || { cat "$dir/said"; exit 1; }
        took=$((($(date +%s%N) - start) / 1000000))
        [ -n "$least" ] && [ "$least" -le "$took" ] || least=$took
    done
    echo "$name: $least ms, $(($(stat -c %b "$file") / 2048)) MiB on disk"
}

has() {
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "left out: no $tool"; return 1; }
    done
}

quick_check() {
    [ "$(sqlite3 "$1" "PRAGMA $2")" = ok ]
}

if has sqlite3; then
    db=$dir/rows.db
    sqlite3 "$db" "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE rows(k INTEGER PRIMARY KEY, v BLOB);
        -- Rows as long as those of the program checks; keys are numbers, in order.
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < $((mib * 1048576 / 680)))
        INSERT INTO rows SELECT i, randomblob(iif(i % 2, 150, 1024)) FROM n;" >"$dir/said"
    best "SQLite, PRAGMA quick_check" "$db" quick_check "$db" quick_check
    best "SQLite, PRAGMA integrity_check" "$db" quick_check "$db" integrity_check
    rm "$db"
fi

if has qemu-img; then
    head -c "${mib}M" /dev/urandom >"$dir/raw"
    qemu-img convert -O qcow2 "$dir/raw" "$dir/disk.qcow2"
    rm "$dir/raw"
    best "qemu-img check, no snapshots" "$dir/disk.qcow2" qemu-img check "$dir/disk.qcow2"
    for ((i = 0; i < snapshots; i++)); do
        qemu-img snapshot -c "s$i" "$dir/disk.qcow2"
    done
    best "qemu-img check, $snapshots snapshots" "$dir/disk.qcow2" qemu-img check "$dir/disk.qcow2"
    rm "$dir/disk.qcow2"
fi

if [ "$(id -u)" != 0 ]; then
    echo "left out: btrfs, which needs root to be mounted"
elif has mkfs.btrfs btrfs; then
    image=$dir/image
    at=$dir/mount
    mkdir "$at"
    truncate -s $((mib * 4))M "$image"
    mkfs.btrfs -q "$image" >"$dir/said" 2>&1
    fill() {
        if ! mount -o loop "$image" "$at"; then return 1; fi
        mounted=$at
        "$@"
        umount "$at"
        mounted=
    }
    one_file() {
        btrfs subvolume create "$at/data" >"$dir/said"
        head -c "${mib}M" /dev/urandom >"$at/data/file"
    }
    # One block is overwritten after each: a process for each of fifty would take minutes.
    many_snapshots() {
        local i
        for ((i = 0; i < snapshots; i++)); do
            btrfs subvolume snapshot -r "$at/data" "$at/s$i" >"$dir/said"
            dd if=/dev/urandom of="$at/data/file" bs=4096 count=1 conv=notrunc status=none \
                seek=$(((RANDOM * 32768 + RANDOM) % (mib * 256)))
        done
    }
    if fill one_file; then
        best "btrfs check, no snapshots" "$image" btrfs check "$image"
        best "btrfs check --check-data-csum, no snapshots" "$image" btrfs check --check-data-csum "$image"
        fill many_snapshots
        best "btrfs check, $snapshots snapshots" "$image" btrfs check "$image"
        best "btrfs check --check-data-csum, $snapshots snapshots" "$image" btrfs check --check-data-csum "$image"
    else
        echo "left out: btrfs cannot be mounted here"
    fi
fi
