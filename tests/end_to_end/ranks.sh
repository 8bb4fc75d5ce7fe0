#!/bin/sh
# Law 1: the whole pipeline gives the same bits on one, two and three ranks.
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

try runs_on_one_rank
try gives_the_same_bits_on_two_ranks
try gives_the_same_bits_on_three_ranks
finish
