#!/bin/sh
# compare_shuffles.sh -- does it matter in which order an autoencoder sees its rows?
#
#   make compare-shuffles       20 minutes on two cores, 2 GB of disk
#
# The same autoencoders (the demo's, of the residual stream after layer 1) are trained on the
# same rows in five orders: exactly permuted, permuted within buckets of 100,000, 10,000 and
# 1,000 rows, and as harvested, where the tokens of a sequence follow one another.  Each
# order with three seeds, which choose the permutation and the initial decoder.  All are
# scored on the same held-out text.  Prints a table; the runs stay in runs/compare-shuffles.
set -eu

runs=runs/compare-shuffles
seeds="0 1 2"

# Suite for rows in buckets of $2 (0: one permutation of all) and seed $3, in the folder $1.
suite() {
    sed -e "s|^name:.*|name: compare-shuffles\nrun: $1|" \
        -e 's|^  sites: \[attn, mlp, res\].*|  sites: [res]\n  layers: [1]|' \
        -e "s|^train:|shuffle: {seed: $3$([ "$2" = 0 ] || echo ", mode: bucket, bucket: $2")}\n&\n  seed: $3|" \
        -e 's/^  tokens: .*/  tokens: 1_150_000/' -e 's/^    tokens: .*/    tokens: 1_000_000/' \
        -e '/sites: \[attn, mlp\]/,/tokens:/d' jobs/demo.yaml
}

run() {
    folder=$runs/bucket-$1-seed-$2
    mkdir -p "$folder"
    suite "$folder" "$1" "$2" > "$folder.yaml"
    # Text and activations are the same in all runs: they are made once.
    first=$runs/bucket-0-seed-0
    for part in suite.yaml tokens harvest; do
        [ -e "$folder/$part" ] || [ ! -e "$first/$part" ] || cp -al "$first/$part" "$folder"
    done
    bin/saemill run "$folder.yaml" > "$folder.out"
    echo "trained: buckets of $1 rows (0: all rows), seed $2"
}

for bucket in 0 100000 10000 1000 1; do
    for seed in $seeds; do
        run "$bucket" "$seed"
    done
done
"$PYTHON" tests/bench/compare_shuffles.py "$runs"
