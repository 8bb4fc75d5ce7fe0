#!/bin/sh
# Law 2: a stage that is killed, at whatever point of its progress, loses nothing that was complete,
# and in the end gives the bits of a run that nobody disturbed.
. tests/lib.sh

# Few rows, so that each stage is done in a fraction of a second.
small_suite() {
    suite | sed -e 's/ shard: 64$/ shard: 16/' -e 's/shard: 2048/shard: 1024/' \
        -e 's/batch: 256/batch: 64/' -e 's/tokens: 4096/tokens: 1024/'
}

# $dir/STAGE.points has how many points rank 0 of two has in that stage.
is_done_undisturbed() {
    documents 16 > "$dir/text/0.jsonl"
    documents 4 | tac > "$dir/text/1.jsonl"
    small_suite > "$dir/suite.yaml"
    for stage in $stages; do
        points any 0 2 $stage > "$dir/$stage.points"
    done
    mv "$dir/run" "$dir/undisturbed"
    mkdir "$dir/run"
}

# As MPI-IO makes them beside a file that ranks write together, and a killed rank may leave them.
leave_locks() {
    find "$dir/run" -name '*.part' -type d -exec touch '{}/00000.h5.part-1802960897-1.lock' \;
}

# Alone, from the same beginning each time; then three times on two ranks, one after the other, with
# a quarter of the work done in between.  What is complete must never be touched.
survives() {
    survives_strikes 12 "$1"
    complete > "$dir/before"
    for kill in 1 2 3; do
        struck "any:$(($(cat "$dir/$1.points") / 4)):KILL" 2 0 "$1"
        cat "$dir/strikes"
        leave_locks
        untouched "$dir/before"
        complete > "$dir/before"
    done
    stage 2 "$1" "$dir/suite.yaml"
    untouched "$dir/before"
}

tokenize_survives() { survives tokenize; }
harvest_survives()  { survives harvest; }
shuffle_survives()  { survives shuffle; }
train_survives()    { survives train; }
evaluate_survives() { survives evaluate; }
release_survives()  { survives release; }
gives_the_same_bits() { same_run "$dir/undisturbed" "$dir/run"; }

try is_done_undisturbed
for stage in $stages; do
    try ${stage}_survives
done
try gives_the_same_bits
finish
