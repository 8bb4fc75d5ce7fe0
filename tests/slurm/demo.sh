#!/bin/sh
# The demo's suite through a real Slurm, from submit to its release, with a tenth of its rows and
# without its text, which is the licence; and a circuit, two tasks of one array.  Needs root.
. tests/lib.sh
. tests/slurm/cluster.sh
trap cluster_down EXIT
trap 'exit 130' INT TERM HUP

# All streams and all twenty autoencoders; what they come to is not the question here.
small_demo() {
    sed -e "s,^name: demo$,name: demo\nrun: $dir/run," -e "s,files: .*,files: [$dir/text/*.jsonl]," \
        -e 's/context: .*/context: 64/' -e '/^  tokens: /d' -e 's/shard: 2048/shard: 128/' \
        -e 's/tokens: 1_500_000/tokens: 10240/' -e 's/sequences: 128/sequences: 32/' jobs/demo.yaml
    printf 'resources:\n  cores: 2\n  memory: 6GB\n  time: 60\n  at_once: 2\n'
}

arrays_and_dependencies_make_the_release() {
    small_demo > "$dir/suite.yaml"
    bin/saemill submit "$dir/suite.yaml"
    while [ -n "$(squeue -h)" ]; do sleep 1; done
    bin/saemill status "$dir/suite.yaml" | tee "$dir/status"
    grep -F "The release is complete." "$dir/status"
    [ "$(find "$dir/run/release" -name params.npz | wc -l)" = 20 ]
    bin/saemill submit "$dir/suite.yaml" | grep -F "nothing to submit"
}

# A search for each threshold.
small_circuit() {
    sed -e "s,^name: .*,name: circuit\nrun: $dir/circuit," -e 's/count: .*/count: 20/' \
        -e 's/thresholds: .*/thresholds: [0.3, 1]/' jobs/circuits/acdc.yaml
    printf 'resources:\n  cores: 2\n  memory: 2GB\n  time: 60\n'
}

a_circuits_thresholds_are_an_array() {
    small_circuit > "$dir/circuit.yaml"
    bin/saemill submit "$dir/circuit.yaml" | tee "$dir/out"
    grep '^circuit: 2 results, job [0-9]*$' "$dir/out"
    while [ -n "$(squeue -h)" ]; do sleep 0.2; done
    bin/saemill status "$dir/circuit.yaml" | tee "$dir/status"
    grep -F "All is complete, in $dir/circuit/circuit" "$dir/status"
    bin/saemill submit "$dir/circuit.yaml" | grep -F "nothing to submit"
    mv "$dir/circuit" "$dir/submitted"
    bin/saemill run "$dir/circuit.yaml"
    same_run "$dir/submitted" "$dir/circuit"
}

is_what_it_says() { bin/saemill verify "$dir/run/release"; }

cluster_up || exit 1
try a_circuits_thresholds_are_an_array
try arrays_and_dependencies_make_the_release
try is_what_it_says
finish
