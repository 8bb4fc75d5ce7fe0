#!/bin/sh
# How near does a harvest come to the machine's own matrix products?
#
#   make bench-harvest [RANKS=1] [SHAPE=gemma]
#
# Two layers of Gemma 2 2B (SHAPE=gemma), Llama 3.2 3B (llama) or Qwen3 4B (qwen) with random
# weights, all four sites of both, through the stage itself, files included.  First the values are
# checked against NumPy.  Then three times in turn: the products alone, the harvest in bf16, the
# products, the harvest in f32, the products.  A ratio is the harvest's useful operations per second
# over those of the products before and after it; of three rounds the median counts.  In the end
# with one site and with all: what a tap costs.
set -eu
dir=build/bench_harvest.run
ranks=${RANKS:-1}
shape=${SHAPE:-gemma}
cores=$(nproc)
rounds=3
export HDF5_PLUGIN_PATH=lib
export OMP_NUM_THREADS=$((cores / ranks > 0 ? cores / ranks : 1))
trap 'rm -rf "$dir"' EXIT
rm -rf "$dir"
mkdir -p "$dir"

# suite PRECISION STORE TOKENS [SITES [LAYERS]]
suite() {
    cat << END > "$dir/$1.yaml"
name: bench
run: $dir/$1
model: {path: $dir/model, tokenizer: jobs/demo/tiny-gemma2/tokenizer.model, precision: $1}
corpus: {files: [$dir/ids.h5], context: 1024, holdout: 0}
harvest: {sites: [${4:-attn, mlp_in, mlp, res}], layers: [${5:-0, 1}], block: 4, store: $2, tokens: $3}
saes: [{layers: [1], sites: [res], widths: [1024], target_l0: [20], tokens: 4096}]
END
}

# harvest PRECISION STORE TOKENS [SITES [LAYERS]]: its output, on standard output.
harvest() {
    suite "$@"
    rm -rf "${dir:?}/$1"
    bin/saemill-tokenize "$dir/$1.yaml" > /dev/null
    $MPIRUN -n "$ranks" bin/saemill-harvest "$dir/$1.yaml"
}

# check PRECISION TOLERANCE
check() {
    harvest "$1" f32 4096 > "$dir/out"
    "$PYTHON" tests/bench/check_harvest.py "$dir/model" "$dir/$1/harvest/00000" "$2"
}

"$PYTHON" tests/bench/random_model.py "$dir/model" --shape "$shape" --layers 2 --vocabulary 4096
widths=$("$PYTHON" -c 'import json, sys
c = json.load(open(sys.argv[1]))
print(c["hidden_size"], c["num_attention_heads"] * c["head_dim"],
      c["num_key_value_heads"] * c["head_dim"], c["intermediate_size"])' "$dir/model/config.json")
"$PYTHON" - "$dir/ids.h5" << END
import h5py, numpy, sys
ids = numpy.random.default_rng(2).integers(4, 4096, (64, 1024), numpy.int32)
ids[:, 0] = 2
h5py.File(sys.argv[1], "w")["tokens"] = ids
END
echo "float32 against NumPy in float64:"
check f32 2e-5
echo "bf16 against NumPy in float64:"
check bf16 0.02

gemm() {
    # shellcheck disable=SC2086
    $MPIRUN -n "$ranks" build/tests/bench/bench_gemm 3 $widths | tee -a "$dir/log"
}

: > "$dir/log"
for round in $(seq $rounds); do
    echo "round $round of $rounds: $ranks ranks, $OMP_NUM_THREADS threads each"
    gemm
    { echo "bf16"; harvest bf16 bf16 16384; } | grep -v 'through the model' | tee -a "$dir/log"
    gemm
    { echo "f32"; harvest f32 bf16 16384; } | grep -v 'through the model' | tee -a "$dir/log"
    gemm
done

harvest bf16 bf16 16384 res 1 > "$dir/one"
harvest bf16 bf16 16384 > "$dir/all"
awk '/tokens\/s/ && / GFLOP/ { speed[FILENAME] = $2 }
     END { printf "eight taps take %.2f times as long as one: %.0f and %.0f tokens/s\n",
                  speed[ARGV[1]] / speed[ARGV[2]], speed[ARGV[2]], speed[ARGV[1]] }' \
    "$dir/one" "$dir/all"

awk '
    function median(list, n,    i, j, t) {
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && list[j - 1] > list[j]; j--) {
                t = list[j]; list[j] = list[j - 1]; list[j - 1] = t
            }
        return list[int((n + 1) / 2)]
    }
    function bytes(value, unit) {
        return value * (unit == "GB" ? 1e9 : unit == "MB" ? 1e6 : 1e3)
    }
    # The products after a harvest complete its ratio.
    /^gemm/ {
        if (precision != "") {
            own = precision == "bf16" ? (before["bf16"] + $3) / 2 : (before["f32"] + $6) / 2
            ratio[precision, ++runs[precision]] = rate / own
        }
        before["bf16"] = $3; before["f32"] = $6; precision = ""
    }
    /^(bf16|f32)$/ { precision = $1 }
    /tokens\/s/ && / GFLOP/ { rate = $4; if (precision == "bf16") speed[++speeds] = $2 }
    / peak memory / {
        for (i = 1; i < NF; i++)
            if ($i == "memory" && bytes($(i + 1), $(i + 2)) > peak)
                peak = bytes($(i + 1), $(i + 2))
    }
    END {
        for (i = 1; i <= runs["bf16"]; i++) b[i] = ratio["bf16", i]
        for (i = 1; i <= runs["f32"]; i++) f[i] = ratio["f32", i]
        printf "result bf16_ratio=%.3f fp32_ratio=%.3f tokens_per_s=%.0f peak_bytes=%.0f\n",
               median(b, runs["bf16"]), median(f, runs["f32"]), median(speed, speeds), peak
    }' "$dir/log"
