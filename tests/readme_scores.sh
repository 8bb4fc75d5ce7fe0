#!/bin/sh
# The autoencoders of the demo whose scores README.md shows, trained without the others, on the same
# text: they must have these scores.
. tests/lib.sh
unset OMP_NUM_THREADS

shown_of_the_demo() {
    sed -e "s|^name: demo|name: demo\nrun: $dir/run|" \
        -e 's/sites: \[attn, mlp, res\]/sites: [attn, res]\n  layers: [0, 3]/' \
        -e 's/- sites: \[res\]/&\n    layers: [0]/' -e 's/target_l0: \[10, 20, 40\]/target_l0: [10]/' \
        -e 's/- sites: \[attn, mlp\]/- sites: [attn]\n    layers: [3]/' jobs/demo.yaml
}

are_trained_and_released() {
    shown_of_the_demo > "$dir/suite.yaml"
    timeout --foreground "$hung" bin/saemill run "$dir/suite.yaml" > "$dir/printed"
    cat "$dir/printed"
    bin/saemill verify "$dir/run/release"
}

have_the_scores_of_the_readme() {
    "$PYTHON" tests/end_to_end/readme_table.py README.md "$dir/printed"
}

try are_trained_and_released
try have_the_scores_of_the_readme
finish
