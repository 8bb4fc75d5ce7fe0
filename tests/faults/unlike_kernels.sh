#!/bin/sh
# Another kind of CPU, or other kernels on the same one: files say which kernels made them, a stage
# says when it goes on with others, and unlike ranks are refused unless the suite allows them.
. tests/lib.sh

export OMP_WAIT_POLICY=passive
# Kernels of OpenBLAS that run everywhere, and that it chooses nowhere today.
other="env OPENBLAS_CORETYPE=Nehalem"

# The attribute `kernels` of a file.
kernels_of() {
    "$PYTHON" -c 'import h5py, sys
print(h5py.File(sys.argv[1]).attrs["kernels"].decode())' "$1"
}

# Fails unless the last stage said once that file $1 was made by other kernels.
warned_of() {
    cat "$dir/out"
    [ "$(grep -c "^[a-z]*: warning: .* was made by a program that computed with" "$dir/out")" = 1 ]
    grep "warning: $dir/run/$1.*computed with .*OpenBLAS Nehalem.* but this one .*same bits" "$dir/out"
}
silent() { ! grep "warning" "$dir/out"; }

files_say_which_kernels_made_them() {
    stage 1 tokenize "$dir/suite.yaml"
    $other bin/saemill-harvest "$dir/suite.yaml" > "$dir/out"
    silent
    kernels_of "$dir/run/harvest/00000/res.00.h5" | grep "^x86-64.*, OpenBLAS Nehalem, oneDNN "
}

a_stage_says_that_others_made_its_input() {
    bin/saemill-shuffle "$dir/suite.yaml" > "$dir/out"
    warned_of harvest/00000/
    kernels_of "$dir/run/shuffle/res.00/00000.h5" | grep -v Nehalem
}

a_training_says_that_others_made_its_checkpoint() {
    (export OPENBLAS_CORETYPE=Nehalem; struck rename:3:KILL 1 0 train)
    ls "$dir"/run/train/*/*.checkpoint.h5
    bin/saemill-train "$dir/suite.yaml" > "$dir/out"
    warned_of train/
}

# Without bf16 products oneDNN does not count.
nothing_is_said_of_kernels_that_were_not_used() {
    ONEDNN_MAX_CPU_ISA=AVX2 bin/saemill-evaluate "$dir/suite.yaml" > "$dir/out"
    silent
    grep '"kernels": "x86-64.*OpenBLAS .*, oneDNN ' "$dir/run/evaluate/res.00"/*.json
    grep '"kernels_of_training": "x86-64.*OpenBLAS ' "$dir/run/evaluate/res.00"/*.json
}

# Rank 1 of two computes otherwise.
unlike_ranks() {
    # shellcheck disable=SC2086
    timeout "$hung" $MPIRUN -n 1 "bin/saemill-$1" "$2" : -n 1 $other "bin/saemill-$1" "$2"
}

unlike_ranks_are_refused() {
    rm -rf "$dir/run/harvest" "$dir/run/shuffle" "$dir/run/train" "$dir/run/evaluate"
    for stage in harvest shuffle train evaluate; do
        status=0
        unlike_ranks $stage "$dir/suite.yaml" > "$dir/out" 2> "$dir/all" || status=$?
        [ "$status" = 2 ]
        grep "^saemill-$stage: " "$dir/all" > "$dir/err"
        refusal "rank 1 on " "OpenBLAS Nehalem" "resources.unlike_cpus"
    done
    [ ! -e "$dir/run/harvest" ]
}

unless_the_suite_allows_it() {
    { suite; printf 'resources:\n  unlike_cpus: allow\n'; } > "$dir/allow.yaml"
    unlike_ranks harvest "$dir/allow.yaml" > "$dir/out"
    grep "^harvest: warning: rank 1 on .*OpenBLAS Nehalem" "$dir/out"
    [ -e "$dir/run/harvest/00000" ]
}

try files_say_which_kernels_made_them
try a_stage_says_that_others_made_its_input
try a_training_says_that_others_made_its_checkpoint
try nothing_is_said_of_kernels_that_were_not_used
try unlike_ranks_are_refused
try unless_the_suite_allows_it
finish
