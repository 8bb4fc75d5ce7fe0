#!/bin/sh
# A shuffle puts rows into the order that its suite asks for, as FORMATS.md defines it for others
# to invert.
. tests/lib.sh

# Shuffle stream 1 with `$1` in the suite's section on $2 ranks; the order is that of buckets of
# $3 rows (0: all) and seed $4.
lies_in_order() {
    rm -rf "$dir/run/shuffle"
    suite | sed "s/^  shard: 2048/&\n  $1/" > "$dir/suite.yaml"
    stage "$2" shuffle "$dir/suite.yaml" --task 1
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/orders.py "$dir/run" res.00 "$3" "$4"
}

global_is_the_default()    { lies_in_order "seed: 77" 2 0 77; }
buckets_keep_their_rows()  { lies_in_order "mode: bucket\n  bucket: 1000\n  seed: 5000000000" 3 1000 5000000000; }

stage 2 tokenize "$dir/suite.yaml" > /dev/null
stage 2 harvest "$dir/suite.yaml" > /dev/null
try global_is_the_default
try buckets_keep_their_rows
finish
