#!/bin/sh
# A shuffle in two and in three passes, killed at several instants and run again on another
# number of ranks: the bits of a run that nobody disturbed, and nothing left over.
. tests/lib.sh

# A shuffle with $1 bytes a rank, which takes $2 passes, is killed ever later until it gets
# through, on 1, 2, 3, 1, ... ranks.
survives_with() {
    rm -rf "$dir/run/shuffle" "$dir/undisturbed"
    suite | sed "s/  shard: 2048/&\n  memory: $1/" > "$dir/suite.yaml"
    stage 2 shuffle "$dir/suite.yaml" --task 1 > "$dir/notes"
    grep "in $2 passes" "$dir/notes"
    mv "$dir/run/shuffle" "$dir/undisturbed"
    kills=0
    begun=0
    while killed $((1 + kills % 3)) "$(hundredths $((20 + 5 * kills)))" shuffle --task 1; do
        kills=$((kills + 1))
        begun=$((begun + $(find "$dir/run" -path '*/shuffle/*.part/*' -print -quit | wc -l)))
    done
    echo "killed $kills times, $begun times with something done"
    [ "$begun" -gt 0 ]
    same_run "$dir/undisturbed" "$dir/run/shuffle"
}

goes_on_in_two_passes() {
    survives_with 5MB 2
}

goes_on_in_three_passes() {
    survives_with 4200kB 3
}

stage 2 tokenize "$dir/suite.yaml" > /dev/null
stage 2 harvest "$dir/suite.yaml" > /dev/null
try goes_on_in_two_passes
try goes_on_in_three_passes
finish
