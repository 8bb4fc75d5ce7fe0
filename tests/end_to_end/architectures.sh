#!/bin/sh
# Every architecture, and transcoders, from one suite: trained, scored, released as others
# expect them, verified; on any number of ranks, and after an interruption, with the same bits.
. tests/lib.sh
release=$dir/run/release

recipes() {
    sed -e '/^saes:/,$d' -e 's/sites: .*/sites: [mlp, mlp_in, res]/' -e 's/layers: .*/layers: [1]/' \
        "$dir/suite.yaml"
    cat << END
  threshold: 0.1
  bandwidth: 0.1
  dead_after: 512
  clip: 1
saes:
  - {sites: [res], widths: [96], tokens: 4096, target_l0: [8]}
  - {sites: [res], widths: [96], tokens: 4096, sparsities: [1e-3], recipe: gated}
  - {sites: [res], widths: [96], tokens: 4096, target_l0: [8], recipe: topk}
  - {sites: [res], widths: [96], tokens: 4096, target_l0: [8], recipe: batch_topk}
  - {sites: [res], widths: [96], tokens: 4096, target_l0: [8], recipe: matryoshka}
  - {sites: [res], widths: [96], tokens: 4096, sparsities: [1e-3], recipe: relu_l1}
  - {sites: [mlp_in], widths: [96], tokens: 4096, target_l0: [8], target: mlp}
  - {sites: [mlp_in], widths: [96], tokens: 4096, target_l0: [8], target: mlp, skip: linear}
  - {sites: [mlp_in], widths: [96], tokens: 4096, sparsities: [1e-3], target: mlp, recipe: relu_l1}
END
}

are_released() {
    recipes > "$dir/recipes.yaml"
    for stage in tokenize harvest shuffle train evaluate release; do
        stage 2 $stage "$dir/recipes.yaml"
    done
    [ "$(find "$release" -name params.npz | wc -l)" = 9 ]
}

are_verified()               { timeout "$hung" bin/saemill verify "$release" | grep 'has the scores it says'; }
load_in_numpy_as_trained()   { HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/release_loads.py "$dir/run"; }
are_named_in_the_report()    { grep -q '<code>matryoshka</code>' "$release/index.html"; }

are_the_same_on_three_ranks() {
    mkdir "$dir/three"
    cp -r "$dir/run/tokens" "$dir/run/harvest" "$dir/run/shuffle" "$dir/three"
    sed "s|^run:.*|run: $dir/three|" "$dir/recipes.yaml" > "$dir/three.yaml"
    for stage in train evaluate release; do
        stage 3 $stage "$dir/three.yaml"
    done
    same_run "$release" "$dir/three/release"
}

are_trained_the_same_on_four_ranks() {
    mv "$dir/three/train" "$dir/trained-on-three"
    stage 4 train "$dir/three.yaml"
    same_run "$dir/trained-on-three" "$dir/three/train"
}

refuses_a_target_of_another_shuffle() {
    rm -r "$dir/three/train" "$dir/three/evaluate" "$dir/three/release" "$dir/three/shuffle/mlp.01"
    sed "s|^shuffle:|shuffle:\n  seed: 5|" "$dir/three.yaml" > "$dir/other.yaml"
    cp -r "$dir/three" "$dir/other"
    rm -r "$dir/other/shuffle" "$dir/other/suite.yaml"
    sed -i "s|^run:.*|run: $dir/other|" "$dir/other.yaml"
    stage 1 shuffle "$dir/other.yaml"
    cp -r "$dir/other/shuffle/mlp.01" "$dir/three/shuffle"
    if stage 2 train "$dir/three.yaml" 2> "$dir/err"; then
        return 1
    fi
    grep "shuffle/mlp.01/00000.h5 was made with 'seed: 5', but the suite says 'seed: 0'" "$dir/err"
}

for claim in are_released are_verified load_in_numpy_as_trained are_named_in_the_report \
        are_the_same_on_three_ranks are_trained_the_same_on_four_ranks refuses_a_target_of_another_shuffle; do
    try $claim
done
finish
