#!/bin/sh
# Law 2: a stage whose ranks are all killed, at whatever moment, loses nothing that was
# complete, and in the end gives the bits of a run that nobody disturbed.
. tests/lib.sh

# Kill stage $1 ever later until it gets through.  What is complete must never be touched.
survives() {
    delay=5     # hundredths of a second
    complete > "$dir/before"
    while killed 2 "$(hundredths "$delay")" "$1"; do
        find "$dir/run" -name '*.part' >> "$dir/struck"
        untouched "$dir/before"
        complete > "$dir/before"
        delay=$((delay * 3 / 2))
    done
    cat "$dir/killed"
    untouched "$dir/before"
    [ "$delay" -gt 5 ]
}

is_done_undisturbed() {
    for stage in $stages; do
        stage 2 $stage "$dir/suite.yaml"
    done
    mv "$dir/run" "$dir/undisturbed"
    mkdir "$dir/run"
}

tokenize_survives() { survives tokenize; }
harvest_survives()  { survives harvest; }
shuffle_survives()  { survives shuffle; }
train_survives()    { survives train; }
evaluate_survives() { survives evaluate; }
release_survives()  { survives release; }
were_struck_at_work() { [ "$(wc -l < "$dir/struck")" -gt 3 ]; }
gives_the_same_bits() { same_run "$dir/undisturbed" "$dir/run"; }

try is_done_undisturbed
for stage in $stages; do
    try ${stage}_survives
done
try were_struck_at_work
try gives_the_same_bits
finish
