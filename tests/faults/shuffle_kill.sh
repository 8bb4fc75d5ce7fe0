#!/bin/sh
# A shuffle in two and in three passes, killed at ten instants each and run again on another
# number of ranks: the bits of a run that nobody disturbed, and nothing left over.
. tests/lib.sh

clock() { echo $(($(date +%s%N) / 10000000)); }     # in hundredths of a second

# A shuffle with $1 bytes a rank, which takes $2 passes, is killed at instants that are drawn
# from the time that an undisturbed one works, and each time goes on to its end.
survives_with() {
    suite | sed "s/  shard: 2048/&\n  memory: $1/" > "$dir/suite.yaml"
    rm -rf "$dir/run/shuffle" "$dir/undisturbed"
    begin=$(clock)
    stage 2 shuffle "$dir/suite.yaml" --task 1 > "$dir/notes"
    middle=$(clock)
    stage 2 shuffle "$dir/suite.yaml" --task 1 > "$dir/out"     # starts and ends, with no work
    took=$((2 * middle - begin - $(clock)))
    grep "in $2 passes" "$dir/notes"
    mv "$dir/run/shuffle" "$dir/undisturbed"
    begun=0 struck=0 draw=0
    while [ "$struck" -lt 10 ] && [ "$draw" -lt 40 ]; do
        draw=$((draw + 1))
        rm -rf "$dir/run/shuffle"
        delay=$(awk -v seed="$2$draw" -v took="$took" 'BEGIN { srand(seed); print int(rand() * took) }')
        missed=0
        killed $((1 + draw % 2)) "$(hundredths "$delay")" shuffle --task 1 || missed=$?
        [ "$missed" -lt 2 ]
        struck=$((struck + 1 - missed))
        begun=$((begun + $(find "$dir/run" -path '*/shuffle/*.part/*' -print -quit | wc -l)))
        stage $((3 - draw % 3)) shuffle "$dir/suite.yaml" --task 1 > "$dir/notes"
        same_run "$dir/undisturbed" "$dir/run/shuffle"
    done
    echo "killed $struck times before its end in $draw, $begun times with something done"
    [ "$struck" = 10 ]
    [ "$begun" -gt 0 ]
}

goes_on_in_two_passes() {
    survives_with 5700kB 2
}

goes_on_in_three_passes() {
    survives_with 4600kB 3
}

stage 2 tokenize "$dir/suite.yaml" > /dev/null
stage 2 harvest "$dir/suite.yaml" > /dev/null
try goes_on_in_two_passes
try goes_on_in_three_passes
finish
