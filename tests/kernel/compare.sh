#!/usr/bin/env bash
# Random traces, each on the real kernel and on the model, from seed FROM to TO with OPS operations:
# what differs is shown, and the traces stay in FOLDER. More options go to the generator.
#
#   tests/kernel/compare.sh FROM TO OPS FOLDER [--without mlock,free,...]
set -euo pipefail
cd "$(dirname "$0")/../.."
from=$1 to=$2 ops=$3 folder=$4
shift 4
mkdir -p "$folder"
cargo build --quiet --release --manifest-path tests/kernel/Cargo.toml
cargo build --quiet --release -p cowslip-cli
kernel=tests/kernel/target/release/cowslip-kernel
model=target/release/cowslip
same=0
for seed in $(seq "$from" "$to"); do
    trace=$folder/$seed.trace
    "$kernel" generate --seed "$seed" --ops "$ops" "$@" >"$trace"
    "$kernel" replay "$trace" >"$folder/$seed.kernel"
    "$model" vm run "$trace" >"$folder/$seed.model"
    if cmp -s "$folder/$seed.kernel" "$folder/$seed.model"; then
        same=$((same + 1))
    else
        echo "seed $seed:"
        diff "$folder/$seed.kernel" "$folder/$seed.model" | head -6 || true
    fi
done
echo "$same of $((to - from + 1)) are the same"
