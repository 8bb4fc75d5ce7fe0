# lib.sh -- what the end-to-end and fault tests share.  Sourced by each of them:
#
#   . tests/lib.sh
#
# They run from the repository root, on text and suites of their own, in a folder of their
# own that is empty at the start: $dir.  Every test is a function whose name is a claim:
#
#   try refuses_a_misspelt_key
#   finish
#
# A claim holds if its function returns 0.  On a failure the folder stays for inspection.

set -u
name=$(basename "$0" .sh)
dir=build/tests/$name.run
rm -rf "$dir"
mkdir -p "$dir"
passed=0
failed=0
# One thread a rank: three ranks on two cores are enough.
export OMP_NUM_THREADS=1

# Does the claim $1 hold?  Its output is shown only if it does not.
try() {
    if (set -e; "$1") > "$dir/$1.log" 2>&1; then
        passed=$((passed + 1))
        echo "[       OK ] $1"
    else
        failed=$((failed + 1))
        echo "[  FAILED  ] $1"
        cat "$dir/$1.log"
    fi
}

finish() {
    echo "$name: $passed passed, $failed failed"
    [ "$failed" = 0 ] && rm -rf "$dir"
    exit "$failed"
}

# A suite file on standard output: the demo's model on the text $dir/text.jsonl, two layers,
# five small autoencoders, run folder $1.
suite() {
    cat << END
name: test
run: $1
model:
  path: jobs/demo/tiny-gemma2
corpus:
  files: [$dir/text/*.jsonl]
  context: 64
  holdout: 0.1
harvest:
  sites: [attn, res]
  layers: [0, 2]
  block: 4
  shard: 32
shuffle:
  shard: 2048
train:
  batch: 256
  warmup: 5
  sparsity_warmup: 5
  learning_rate: 1e-3
  checkpoint: 4
saes:
  - sites: [res]
    widths: [64]
    target_l0: [5, 10]
    tokens: 4096
  - sites: [attn]
    layers: [2]
    widths: [64]
    sparsities: [1e-3]
    tokens: 4096
END
}
