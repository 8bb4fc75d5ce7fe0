#!/bin/sh
# Law 3: what plan says that a rank of train needs of memory is what it takes, within 10 %, and
# with less the stage refuses before it begins.
. tests/lib.sh

# An autoencoder $1 with $6 batches (8 if it is not said) of $2 rows and the line $3 in train, for $4
# cores.  At a learning rate of $5 some of its steps have dense products, and the last ones sparse.
one() {
    suite | sed -e '/^saes:/,$d' -e 's/sites: .*/sites: [res]/' -e 's/layers: .*/layers: [2]/' \
        -e "s/  batch: 256/  batch: $2\n  $3/" -e "s/learning_rate: .*/learning_rate: ${5:-4e-3}/" \
        -e 's/warmup: 5/warmup: 0/'
    printf 'resources: {cores: %s, memory: 100GB}\n' "$4"
    printf 'saes:\n  - {sites: [res], tokens: %s, %s}\n' "$((${6:-8} * $2))" "$1"
}

# What plan says, and the steps take.
as_planned() {
    one "$@" > "$dir/suite.yaml"
    rm -rf "$dir/run/train"
    bin/saemill plan "$dir/suite.yaml" --json > "$dir/plan.json"
    ranks=$("$PYTHON" -c "import json
stages = json.load(open('$dir/plan.json'))['stages']
train = next(s for s in stages if s['stage'] == 'train')
print(train['ranks_of_a_node'], train['bytes_of_a_rank'] / 1e6)" | tee "$dir/planned" | cut -d' ' -f1)
    stage "$ranks" train "$dir/suite.yaml" | tee "$dir/out"
    grep -o 'peak memory.*' "$dir/out" | awk -v planned="$(cut -d' ' -f2 "$dir/planned")" '
        { peak = $3 * ($4 == "GB" ? 1000 : 1); print planned, peak
          exit !(planned > 0.9 * peak && planned < 1.1 * peak) }'
}

of_jumprelu()       { as_planned 'widths: [8192], target_l0: [50]' 2048 'threshold: 0.001' 1; }
of_jumprelu_on_two() { as_planned 'widths: [8192], target_l0: [50]' 2048 'threshold: 0.001' 2; }
of_few_active()     { as_planned 'widths: [16384], target_l0: [50]' 2048 'threshold: 0.1' 1; }
of_gated()          { as_planned 'widths: [8192], sparsities: [1e-3], recipe: gated' 1024 'beta2: 0.999' 1 4e-3 20; }
of_topk_on_two()    { as_planned 'widths: [16384], target_l0: [50], recipe: topk' 2048 'auxk: 0' 2 1e-4; }
of_dead_latents()   { as_planned 'widths: [8192], target_l0: [50], recipe: topk' 2048 'dead_after: 2048' 1 1e-4; }
of_dead_on_two()    { as_planned 'widths: [8192], target_l0: [50], recipe: batch_topk' 2048 'dead_after: 2048' 2 1e-4; }
of_first_moments()  { as_planned 'widths: [32768], sparsities: [1e-3], recipe: relu_l1' 512 'beta1: 0.9' 1; }

refuses_what_does_not_fit() {
    one 'widths: [8388608], target_l0: [50]' 65536 'threshold: 0.001' 1 > "$dir/large.yaml"
    without_room train "$dir/large.yaml" "$dir/run/train" 'train needs' 'of memory (2 ranks on a node)'
}

one 'widths: [64], target_l0: [5]' 256 'seed: 1' 1 > "$dir/suite.yaml"
for stage in tokenize harvest shuffle; do
    stage 2 $stage "$dir/suite.yaml" > /dev/null
done
for claim in refuses_what_does_not_fit of_jumprelu of_jumprelu_on_two of_few_active of_gated \
        of_topk_on_two of_dead_latents of_dead_on_two of_first_moments; do
    try $claim
done
finish
