#!/bin/sh
# Law 2: a stage whose ranks are all killed, at whatever moment, loses nothing that was
# complete, and in the end gives the bits of a run that nobody disturbed.
. tests/lib.sh

# Start stage $1 on two ranks and kill both $2 seconds later.  Was it killed?
killed() {
    : > "$dir/ranks"
    # shellcheck disable=SC2016
    timeout 120 $MPIRUN -n 2 sh -c 'echo $$ >> "$0"; exec "$@"' "$dir/ranks" \
        "bin/saemill-$1" "$dir/suite.yaml" > "$dir/killed" 2>&1 &
    until [ "$(wc -l < "$dir/ranks")" = 2 ]; do sleep 0.01; done
    sleep "$2"
    # shellcheck disable=SC2046
    kill -9 $(cat "$dir/ranks")
    ! wait $!
}

# Kill stage $1 ever later until it gets through.  At least once it must have been at work,
# and what is complete must never be touched.
survives() {
    delay=20
    complete > "$dir/before"
    while killed "$1" "$((delay / 100)).$((delay % 100))"; do
        find "$dir/run" -name '*.part' >> "$dir/struck-$1"
        untouched "$dir/before"
        complete > "$dir/before"
        delay=$((delay * 3 / 2))
    done
    cat "$dir/killed"
    untouched "$dir/before"
    [ -s "$dir/struck-$1" ]
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
gives_the_same_bits() { same_run "$dir/undisturbed" "$dir/run"; }

try is_done_undisturbed
for stage in $stages; do
    try ${stage}_survives
done
try gives_the_same_bits
finish
