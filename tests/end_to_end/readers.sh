#!/bin/sh
# Our files are for others: h5py and NumPy, which know nothing of us, read a shard as floats
# and make from a release the very scores that evaluate gave.
. tests/lib.sh

read_by_python() { HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/readers.py "$@"; }

runs_to_the_end()           { bin/saemill run "$dir/suite.yaml"; }
h5py_reads_shards_as_floats() {
    read_by_python floats "$dir/run/harvest/00000/res.02.h5"
    read_by_python floats "$dir/run/shuffle/attn.00/00001.h5"
}

# The activations of the held-out sequences are harvested by a second suite, as float32.
numpy_gives_the_scores_of_evaluate() {
    read_by_python heldout "$dir/run" "$dir/heldout.h5"
    sed -e "s|^run: .*|run: $dir/heldout|" -e "s|files: .*|files: [$dir/heldout.h5]|" \
        -e 's|holdout: .*|holdout: 0|' -e 's|^harvest:|&\n  store: f32|' \
        "$dir/suite.yaml" > "$dir/heldout.yaml"
    stage 2 tokenize "$dir/heldout.yaml"
    stage 2 harvest "$dir/heldout.yaml"
    read_by_python scores "$dir/run" "$dir/heldout/harvest"
}

try runs_to_the_end
try h5py_reads_shards_as_floats
try numpy_gives_the_scores_of_evaluate
finish
