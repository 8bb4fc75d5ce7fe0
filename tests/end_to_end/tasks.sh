#!/bin/sh
# The sequences of a run are cut into tasks of a set size.  Whoever does which of them, on
# however many ranks: the harvest has the same bits, and nothing is done twice.
. tests/lib.sh

# 268 sequences: 13 shards of 20 and one of 8, which is a single block.
tasks_suite() { suite | sed -e 's| shard: 64$| shard: 20|' -e 's|block: .*|block: 8|' "$@"; }

one_run_does_all() {
    stage 2 tokenize "$dir/suite.yaml"
    stage 1 harvest "$dir/suite.yaml"
    [ "$(ls "$dir/run/harvest" | wc -l)" = 14 ]
    mv "$dir/run/harvest" "$dir/whole"
}

# The last task has one block for five ranks; the first one three for two ranks and for three.
tasks_can_be_done_one_by_one() {
    stage 5 harvest "$dir/suite.yaml" --task 13
    stage 3 harvest "$dir/suite.yaml" --task 0
    stage 2 harvest "$dir/suite.yaml" --task 6
    [ "$(ls "$dir/run/harvest" | tr '\n' ' ')" = '00000 00006 00013 ' ]
}

the_rest_is_done_and_no_more() {
    complete > "$dir/before"
    stage 3 harvest "$dir/suite.yaml" > "$dir/out"
    grep '3 of 14 shards were there already' "$dir/out"
    untouched "$dir/before"
    same_run "$dir/whole" "$dir/run/harvest"
}

# Some sequences have nothing but special tokens, some shards no other sequences.
shards_may_be_empty() {
    "$PYTHON" -c 'import h5py, numpy, sys
ids = numpy.zeros((5, 64), "i4")
ids[:, 0] = 2
ids[1, 1:40] = 7
ids[3, 1:64] = 9
h5py.File(sys.argv[1], "w")["tokens"] = ids' "$dir/ids.h5"
    tasks_suite -e "s|files: .*|files: [$dir/ids.h5]|" -e 's|holdout: .*|holdout: 0|' \
        -e "s|^run: .*|run: $dir/sparse|" -e 's| shard: 20$| shard: 1|' > "$dir/sparse.yaml"
    stage 1 tokenize "$dir/sparse.yaml"
    stage 3 harvest "$dir/sparse.yaml" > "$dir/out"
    cat "$dir/out"
    [ "$(grep -c ': 0 rows of 4 streams' "$dir/out")" = 3 ]
    stage 2 shuffle "$dir/sparse.yaml" > "$dir/out"
    grep 'res.02: 102 rows in' "$dir/out"
}

refuses_a_task_that_is_not_there() {
    status=0
    stage 2 harvest "$dir/suite.yaml" --task 14 2> "$dir/err" || status=$?
    grep '^saemill-harvest: .*14' "$dir/err"
    [ "$status" = 2 ]
}

# Rows a little longer than the median are no outliers, but they are there.
long_rows_are_dropped_and_counted() {
    tasks_suite -e 's|^harvest:|&\n  max_norm: 1.3|' -e "s|^run: .*|run: $dir/sieved|" \
        > "$dir/sieved.yaml"
    stage 2 tokenize "$dir/sieved.yaml"
    stage 1 harvest "$dir/sieved.yaml" > "$dir/out"
    mv "$dir/sieved/harvest" "$dir/sieved.1"
    stage 3 harvest "$dir/sieved.yaml" --task 13
    stage 2 harvest "$dir/sieved.yaml"
    same_run "$dir/sieved.1" "$dir/sieved/harvest"
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/sieved.py "$dir/whole" "$dir/sieved.1" 1.3 \
        "$dir/out"
}

tasks_suite > "$dir/suite.yaml"
for claim in one_run_does_all tasks_can_be_done_one_by_one the_rest_is_done_and_no_more \
        shards_may_be_empty refuses_a_task_that_is_not_there long_rows_are_dropped_and_counted; do
    try $claim
done
finish
