#!/bin/sh
# A shuffle in two and in three passes, killed at 400 points of its progress and run again:
# the bits of a run that nobody disturbed, and nothing left over.
. tests/lib.sh

# Stream res.00 of $1 documents, with $2 bytes a rank.
begin() {
    rm -rf "$dir/run"
    rm -f "$dir/text/1.jsonl"
    documents "$1" > "$dir/text/0.jsonl"
    suite | sed -e "s/  shard: 2048/&\n  memory: $2/" -e 's/sites: .*/sites: [res]/' \
        -e 's/layers: .*/layers: [0]/' -e '/- sites: .attn/,$d' > "$dir/suite.yaml"
    stage 1 tokenize "$dir/suite.yaml"
    stage 1 harvest "$dir/suite.yaml"
}

# An undisturbed shuffle on $1 ranks has $2 passes.
takes_passes() {
    stage "$1" shuffle "$dir/suite.yaml" > "$dir/notes"
    cat "$dir/notes"
    grep "in $2 passes" "$dir/notes"
}

goes_on_in_two_passes() {
    begin 20 3900kB
    takes_passes 1 2
    rm -r "$dir/run/shuffle"
    survives_strikes 300 shuffle
}

goes_on_in_three_passes() {
    begin 80 3900kB
    takes_passes 1 3
    rm -r "$dir/run/shuffle"
    survives_strikes 100 shuffle
}

# One of two ranks is killed, and one, two or three go on; $1: documents, $2: passes.
goes_on_on_other_ranks() {
    begin "$1" 4600kB
    takes_passes 2 "$2"
    mv "$dir/run/shuffle" "$dir/undisturbed"
    for rank in 0 1; do
        number=$(points any $rank 2 shuffle)
        for n in $(drawn 5 "$number" "$2$rank"); do
            rm -rf "$dir/run/shuffle"
            struck "any:$n:KILL" 2 $rank shuffle
            cat "$dir/strikes"
            stage $((1 + n % 3)) shuffle "$dir/suite.yaml"
            same_run "$dir/undisturbed" "$dir/run/shuffle"
        done
        rm -r "$dir/run/shuffle"
    done
    rm -r "$dir/undisturbed"
}

goes_on_on_other_ranks_in_two_passes()   { goes_on_on_other_ranks 80 2; }
goes_on_on_other_ranks_in_three_passes() { goes_on_on_other_ranks 160 3; }

for claim in goes_on_in_two_passes goes_on_in_three_passes goes_on_on_other_ranks_in_two_passes \
        goes_on_on_other_ranks_in_three_passes; do
    try $claim
done
finish
