#!/bin/sh
# A release is what it says, loads elsewhere, and says when it was changed.
. tests/lib.sh
release=$dir/run/release

is_made() {
    suite > "$dir/suite.yaml"
    for stage in tokenize harvest shuffle train evaluate release; do
        stage 2 $stage "$dir/suite.yaml"
    done
    [ "$(find "$release" -name params.npz | wc -l)" = 5 ]
}

has_the_sums_it_lists()         { (cd "$release" && sha256sum --quiet -c SHA256SUMS); }
is_verified()                   { timeout "$hung" bin/saemill verify "$release" | grep 'has the scores it says'; }
loads_in_numpy_as_trained()     { HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/release_loads.py "$dir/run"; }
does_not_tell_where_it_was()    { [ -d "$release" ] && ! grep -r -F -e "$dir/run" "$release"; }

has_a_report_that_needs_nothing_else() {
    [ "$(grep -c -E -e '<(script|link|img|iframe)' -e '(src|url)[=(]' "$release/index.html")" = 0 ]
    [ "$(grep -c '<svg' "$release/index.html")" -gt 20 ]
}

is_left_alone_when_it_is_there() {
    complete > "$dir/before"
    stage 1 release "$dir/suite.yaml"
    untouched "$dir/before"
}

# In another folder, on another number of ranks.
is_the_same_elsewhere() {
    mkdir "$dir/elsewhere"
    cp -r "$dir/run/tokens" "$dir/run/train" "$dir/run/evaluate" "$dir/elsewhere"
    sed "s|^run:.*|run: $dir/elsewhere|" "$dir/suite.yaml" > "$dir/elsewhere.yaml"
    stage 3 release "$dir/elsewhere.yaml"
    same_run "$release" "$dir/elsewhere/release"
}

notices_a_flipped_bit() {
    file=$(find "$release" -name params.npz | sort | head -n 1)
    cp "$file" "$dir/good"
    printf '\377' | dd of="$file" bs=1 seek=3000 conv=notrunc
    if bin/saemill verify "$release" > "$dir/out" 2> "$dir/err"; then
        return 1
    fi
    cp "$dir/good" "$file"
    grep -F "changed: ${file#"$release"/}" "$dir/out"
    grep -F "1 of" "$dir/err"
}

# A copy of the release, changed, with sums that are right; verify refuses it with these words:
# is_found COPY WHAT WORD...
is_found() {
    rm -rf "$1"
    cp -r "$release" "$1"
    "$PYTHON" tests/end_to_end/tamper.py "$1" "$2"
    if bin/saemill verify "$1" > "$dir/out" 2> "$dir/err"; then
        return 1
    fi
    grep -F "$3" "$dir/err"
}

# Everything fits together, but one score is better than it was.
notices_a_wrong_score() {
    mkdir "$dir/scored"
    cp -r "$dir/run/tokens" "$dir/run/inputs" "$dir/scored"
    is_found "$dir/scored/release" score:mse:0.5 ' says mse 0.5'
}

# The sums cannot tell; parameters, scores and manifest can.
notices_what_was_changed_before_it_was_summed() {
    for what in apply normalise hook dtype; do
        is_found "$dir/tampered" $what 'cfg.json is not what release makes of the other files'
    done
    is_found "$dir/tampered" table 'scores.tsv is not what release makes'
    for what in script words; do
        is_found "$dir/tampered" $what 'index.html is not what release makes'
    done
    for what in plot-script plot-event plot-link; do
        is_found "$dir/tampered" $what 'does more than draw'
    done
    is_found "$dir/tampered" manifest 'lists other autoencoders'
    is_found "$dir/tampered" score:name:'"w1"' 'has the scores of another autoencoder'
}

# Those of one that is not scored again.
notices_scores_that_are_not_the_runs() {
    mkdir "$dir/evaluated"
    cp -r "$dir/run/evaluate" "$dir/evaluated"
    last=$(basename "$(find "$release" -name 'average_*' | LC_ALL=C sort | tail -n 1)")
    is_found "$dir/evaluated/release" "score:mse:0.5:$last" "$last/scores.json is not what release makes"
}

# The shards' sums are compared, without the rows: of one a harvested shard has another, and of one
# a shuffled shard is gone.
notices_rows_that_were_not_harvested() {
    bin/saemill verify "$release" | grep '3 streams: the shuffled rows are those that were harvested'
    shard=$dir/run/harvest/00001/res.02.h5
    cp "$shard" "$dir/good"
    "$PYTHON" -c 'import h5py, sys; h5py.File(sys.argv[1], "r+").attrs["hash"] += 1' "$shard"
    if bin/saemill verify "$release" 2> "$dir/err"; then return 1; fi
    grep -F "the rows in $dir/run/shuffle/res.02 are not those in $dir/run/harvest" "$dir/err"
    mv "$dir/good" "$shard"
    shard=$(find "$dir/run/shuffle/res.00" -name '*.h5' | sort | tail -n 1)
    mv "$shard" "$dir/good"
    if bin/saemill verify "$release" 2> "$dir/err"; then return 1; fi
    grep -F "are not those that were harvested" "$dir/err"
    mv "$dir/good" "$shard"
}

# With the slash that shells add; and from within.
is_verified_wherever_it_is_named_from() {
    timeout "$hung" bin/saemill verify "$release//" | grep 'has the scores it says'
    here=$PWD
    (cd "$release" && timeout "$hung" "$here/bin/saemill" verify . > "$here/$dir/out")
    grep '3 streams: the shuffled rows are those that were harvested' "$dir/out"
}

# A folder that cannot be read to its end is not one with fewer files.
is_not_sealed_when_its_files_cannot_be_listed() {
    mv "$release" "$dir/honest"
    under=release.part struck list:3:EIO 1 0 release
    [ "$status" = 3 ]
    grep 'saemill-release: cannot list the folder' "$dir/struck"
    [ ! -e "$release" ]
    mv "$dir/honest" "$release"
}

# Away from its run it is checked all the same.
is_verified_elsewhere() {
    cp -r "$release" "$dir/fetched"
    timeout "$hung" bin/saemill verify "$dir/fetched" > "$dir/out"
    grep 'not scored again' "$dir/out"
    grep 'rows not compared' "$dir/out"
}

for claim in is_made has_the_sums_it_lists is_verified loads_in_numpy_as_trained \
        does_not_tell_where_it_was has_a_report_that_needs_nothing_else \
        is_left_alone_when_it_is_there is_the_same_elsewhere notices_a_flipped_bit \
        notices_a_wrong_score notices_what_was_changed_before_it_was_summed \
        notices_scores_that_are_not_the_runs notices_rows_that_were_not_harvested is_verified_wherever_it_is_named_from \
        is_not_sealed_when_its_files_cannot_be_listed is_verified_elsewhere; do
    try $claim
done
finish
