#!/bin/sh
# Does a checkpoint of the size of Gemma 2 2B fit, and in the memory that was said to be needed?
#
#   make bench-harvest-full [RANKS=2]
#
# Random bf16 weights in sharded safetensors, the true vocabulary, every site and layer, 4
# sequences of 1024 tokens; first with 4 layers, then with all 26.  The weights lie once in
# memory, whatever the number of ranks: were they there twice, the peak would not be within
# 10 % of the figure (tests/memory.py).  Takes 8 GB of disk for some minutes.
set -eu
dir=build/bench_harvest_full.run
ranks=${RANKS:-2}
cores=$(nproc)
export OMP_NUM_THREADS=$((cores / ranks > 0 ? cores / ranks : 1))
trap 'rm -rf "$dir"' EXIT
rm -rf "$dir"
mkdir -p "$dir"

"$PYTHON" -c 'import h5py, numpy, sys
ids = numpy.random.default_rng(2).integers(4, 256000, (4, 1024), "i4")
ids[:, 0] = 2
h5py.File(sys.argv[1], "w")["tokens"] = ids' "$dir/ids.h5"

# harvest LAYERS
harvest() {
    rm -rf "$dir/model" "$dir/run"
    "$PYTHON" tests/bench/random_model.py "$dir/model" --layers "$1"
    cat << END > "$dir/suite.yaml"
name: bench
run: $dir/run
model: {path: $dir/model, tokenizer: jobs/demo/tiny-gemma2/tokenizer.model, precision: bf16}
corpus: {files: [$dir/ids.h5], context: 1024, holdout: 0}
harvest: {sites: [attn, mlp_in, mlp, res], block: 2, store: bf16}
saes: [{sites: [res], widths: [1024], target_l0: [20], tokens: 4096}]
END
    bin/saemill-tokenize "$dir/suite.yaml" > /dev/null
    echo "$1 layers, $ranks ranks:"
    # shellcheck disable=SC2086
    "$PYTHON" tests/memory.py 0.9 saemill-harvest $MPIRUN -n "$ranks" bin/saemill-harvest \
        "$dir/suite.yaml" | tee "$dir/out"
    # `tee` hides the verdict.
    tail -n 1 "$dir/out" | awk '/^memory: / { good = $NF > 0.9 && $NF < 1.1 } END { exit !good }'
}

harvest 4
harvest 26
awk '/ read in / { load = $(NF - 1) }
     /^memory: / { peak = $4 }
     END {
         printf "result load_s=%s peak_bytes=%.0f\n", load, peak * 1e9
         exit !(peak > 0 && peak < 24)
     }' "$dir/out"
