#!/bin/sh
# Law 3: evaluate says what memory it needs before it begins, plan says the same, and it takes that
# within 10 %.  Autoencoders that do not fit together are scored one group after the other, with
# the same bits.
. tests/lib.sh

# Three wide autoencoders of one place, and a transcoder; $1 bytes of memory and $2 cores.
wide() {
    suite | sed -e '/^saes:/,$d' -e 's/sites: .*/sites: [res, mlp_in, mlp]/' -e 's/layers: .*/layers: [2]/' \
        -e 's|^  warmup: 5|  threshold: 0.2\n&|'
    cat << END
evaluate: {sequences: 8}
resources: {cores: $2, memory: $1}
saes:
  - {sites: [res], widths: [16384, 32768, 65536], target_l0: [50], tokens: 256}
  - {sites: [mlp_in], target: mlp, widths: [64], target_l0: [5], tokens: 256}
END
}

# What the stage says that it needs of $1 MiB, on $2 ranks.
said() {
    SLURM_MEM_PER_NODE=$1 stage "$2" evaluate "$dir/suite.yaml" 2>&1 |
        sed -n 's/.*evaluate needs \(.*\) of memory (.*/\1/p'
}

# With so little that there is only one autoencoder at a time.
plan_says_what_the_stage_says() {
    wide 100MB 1 > "$dir/small.yaml"
    bin/saemill plan "$dir/small.yaml" > "$dir/plan"
    grep '^  evaluate ' "$dir/plan"
    said 1 1 > "$dir/said"
    cat "$dir/said"
    grep -q "^  evaluate .* $(cat "$dir/said")\$" "$dir/plan"
}

takes_what_it_says() {
    # shellcheck disable=SC2086
    timeout 120 "$PYTHON" tests/memory.py 0.85 saemill-evaluate $MPIRUN -n 2 bin/saemill-evaluate \
        "$dir/suite.yaml"
    mv "$dir/run/evaluate" "$dir/groups"
}

# A pass for each place and one for the means.
groups_have_the_same_bits() {
    stage 3 evaluate "$dir/suite.yaml" > "$dir/out"
    grep '2 places, 8 held-out sequences, 3 passes' "$dir/out"
    same_run "$dir/groups" "$dir/run/evaluate"
}

# What plan promises for a node of a given size is enough there.
fits_where_plan_says_so() {
    rm -r "$dir/run/evaluate"
    wide "$((480 << 20))" 2 > "$dir/node.yaml"
    bin/saemill plan "$dir/node.yaml" --json > "$dir/plan.json"
    ranks=$("$PYTHON" -c "import json
stages = json.load(open('$dir/plan.json'))['stages']
evaluate = next(s for s in stages if s['stage'] == 'evaluate')
assert evaluate['fits'] and 400e6 < evaluate['bytes_of_a_node'] <= 480 * 2**20
print(evaluate['ranks_of_a_node'])")
    SLURM_MEM_PER_NODE=480 stage "$ranks" evaluate "$dir/node.yaml" > "$dir/out"
    grep '2 places, 8 held-out sequences, 4 passes' "$dir/out"
    same_run "$dir/groups" "$dir/run/evaluate"
}

wide 100GB 2 > "$dir/suite.yaml"
for stage in tokenize harvest shuffle train; do
    stage 2 $stage "$dir/suite.yaml" > /dev/null
done
for claim in plan_says_what_the_stage_says takes_what_it_says groups_have_the_same_bits \
        fits_where_plan_says_so; do
    try $claim
done
finish
