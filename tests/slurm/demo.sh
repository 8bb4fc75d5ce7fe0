#!/bin/sh
# The demo through a real Slurm, end to end: about as long as make demo.  Needs root.
. tests/lib.sh
. tests/slurm/cluster.sh
trap cluster_down EXIT
trap 'exit 130' INT TERM HUP

arrays_and_dependencies_make_the_release() {
    { sed "s,^name: demo$,name: demo\nrun: $dir/run," jobs/demo.yaml
      printf 'resources:\n  cores: 2\n  memory: 6GB\n  time: 60\n  at_once: 2\n'; } \
        > "$dir/suite.yaml"
    bin/saemill submit "$dir/suite.yaml"
    while [ -n "$(squeue -h)" ]; do sleep 1; done
    bin/saemill status "$dir/suite.yaml" | tee "$dir/status"
    grep -F "The release is complete." "$dir/status"
    bin/saemill submit "$dir/suite.yaml" | grep -F "nothing to submit"
}

is_what_it_says() { bin/saemill verify "$dir/run/release"; }

cluster_up || exit 1
try arrays_and_dependencies_make_the_release
try is_what_it_says
finish
