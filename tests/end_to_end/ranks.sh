#!/bin/sh
# Law 1: the whole pipeline gives the same bits on one, two and three ranks, a harvest also on
# one and two threads, in both precisions.
. tests/lib.sh

# The whole pipeline on $1 ranks; its run folder becomes $dir/ranks-$1.
pipeline() {
    for stage in $stages; do
        stage "$1" $stage "$dir/suite.yaml"
    done
    mv "$dir/run" "$dir/ranks-$1"
}

runs_on_one_rank()                      { pipeline 1; }
gives_the_same_bits_on_two_ranks()      { pipeline 2; same_run "$dir/ranks-1" "$dir/ranks-2"; }
gives_the_same_bits_on_three_ranks()    { pipeline 3; same_run "$dir/ranks-1" "$dir/ranks-3"; }

# The suite in precision $1, on a part of the text, with a run folder of its own, in $dir/$1.yaml.
suite_in() {
    suite | sed -e "s|^run: .*|run: $dir/$1|" -e "s|^model:|&\n  precision: $1|" \
        -e 's|/\*.jsonl|/1.jsonl|' > "$dir/$1.yaml"
}

# Does this build, on this CPU, multiply in bf16?  (There is nothing to harvest yet.)
offers_bf16() {
    suite_in bf16
    ! stage 1 harvest "$dir/bf16.yaml" 2>&1 | grep 'precision bf16 needs'
}

# Harvests in precision $1 are the same on all numbers of ranks and threads.
harvests_are_the_same() {
    suite_in "$1"
    stage 1 tokenize "$dir/$1.yaml"
    for cores in '1 1' '1 2' '2 1' '2 2' '3 1'; do
        export OMP_NUM_THREADS="${cores#* }"
        stage "${cores% *}" harvest "$dir/$1.yaml"
        [ -e "$dir/$1.first" ] || cp -r "$dir/$1/harvest" "$dir/$1.first"
        same_run "$dir/$1.first" "$dir/$1/harvest"
        rm -r "$dir/$1/harvest"
    done
}

float32_has_the_same_bits_on_any_threads()  { harvests_are_the_same f32; }
bf16_has_the_same_bits_on_any_threads()     { harvests_are_the_same bf16; }

try runs_on_one_rank
try gives_the_same_bits_on_two_ranks
try gives_the_same_bits_on_three_ranks
try float32_has_the_same_bits_on_any_threads
if offers_bf16; then
    try bf16_has_the_same_bits_on_any_threads
fi
finish
