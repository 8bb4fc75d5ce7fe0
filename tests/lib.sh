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
mkdir -p "$dir/text"
passed=0
failed=0
# One thread a rank: three ranks on two cores are enough.
export OMP_NUM_THREADS=1
stages="tokenize harvest shuffle train evaluate release"

# Does the claim $1 hold?  Its output is shown only if it does not.
try() {
    # Not as the condition itself: there the shell would ignore `set -e`.
    (set -e; "$1") > "$dir/$1.log" 2>&1
    if [ $? = 0 ]; then
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

# $1 documents of a few lines of the licence, one JSON object a line, on standard output.
documents() {
    awk -v documents="$1" '
        { gsub(/\\/, "\\\\"); gsub(/"/, "\\\""); line[NR] = $0 }
        END {
            for (d = 1; d <= documents; d++) {
                text = ""
                for (i = 0; i < 3 + d % 5; i++)
                    text = text line[1 + (37 * d + i) % NR] "\\n"
                printf "{\"text\": \"%d. %s\"}\n", d, text
            }
        }' LICENSE
}

# A suite file on standard output: the demo's model, two layers, five small autoencoders,
# the text $dir/text/*.jsonl, the run folder $dir/run.
suite() {
    cat << END
name: test
run: $dir/run
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
  shard: 64
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

# stage RANKS STAGE SUITE [ARGUMENT...]: one stage by hand.
stage() {
    ranks=$1 stage=$2
    shift 2
    timeout 120 $MPIRUN -n "$ranks" "bin/saemill-$stage" "$@"
}

# $1 hundredths as a decimal.
hundredths() {
    echo "$(($1 / 100)).$(($1 / 10 % 10))$(($1 % 10))"
}

# killed RANKS DELAY STAGE [ARGUMENT...]: start a stage and kill all its ranks DELAY seconds
# after they have started.  0 if it was killed, 1 if it was done before, 2 if it had failed by
# itself.  (An mpirun whose ranks die while they shake hands would wait for them for ever, so it
# is told to end.)
killed() {
    killed_ranks=$1 delay_seconds=$2 killed_stage=$3
    shift 3
    : > "$dir/ranks"
    # shellcheck disable=SC2016
    timeout -k 1 60 $MPIRUN -n "$killed_ranks" sh -c 'echo $$ >> "$0"; exec "$@"' "$dir/ranks" \
        "bin/saemill-$killed_stage" "$dir/suite.yaml" "$@" > "$dir/killed" 2>&1 &
    mpirun=$!
    until [ "$(wc -l < "$dir/ranks")" = "$killed_ranks" ]; do sleep 0.01; done
    sleep "$delay_seconds"
    missed=1
    while read -r rank; do
        kill -9 "$rank" && missed=0
    done < "$dir/ranks" 2> /dev/null
    [ "$missed" = 1 ] || kill "$mpirun" 2> /dev/null || :
    wait "$mpirun" || missed=$((missed * 2))
    return "$missed"
}

# Fails, and says how, unless the run folders $1 and $2 hold the same data.
same_run() {
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/same_run.py "$1" "$2"
}

# Name, place on disk and time of every complete file of the run.  Not of checkpoints, which
# come and go, and of training logs, which belong to the autoencoder that is published later.
complete() {
    find "$dir/run" \( -name '*.part' -o -name logs \) -prune -o -type f ! -name lock ! -name '*.checkpoint*.h5' \
        ! -name '*.tsv' -printf '%p %i %T@\n' | sort
}

# Fails unless the files that complete() listed in $1 are still there, untouched.
untouched() {
    complete > "$dir/complete"
    comm -23 "$1" "$dir/complete" > "$dir/lost"
    cat "$dir/lost"
    [ ! -s "$dir/lost" ]
}

# refusal WORD...: what went to $dir/err is one line with the reason, in which all the words
# are found, and at most one that says how to go on.  MPI may have complained before.
refusal() {
    cat "$dir/err"
    grep -v -e '^mca_' -e '^saemill: .* goes on from there$' "$dir/err" > "$dir/reason"
    [ "$(wc -l < "$dir/reason")" = 1 ]
    for word in "$@"; do
        grep -q -F -e "$word" "$dir/reason"
    done
}

# refused SUITE WORD...: `saemill run SUITE` ends soon and not well, with such a refusal.
refused() {
    if timeout 60 bin/saemill run "$1" > "$dir/out" 2> "$dir/err"; then
        echo "was not refused"
        return 1
    else
        status=$?
    fi
    shift
    refusal "$@"
    [ "$status" -lt 124 ]
}

# A stage by hand is refused for lack of room, before it makes anything in its folder, in one
# line with these words: without_room STAGE SUITE FOLDER WORD...
without_room() {
    status=0
    stage 2 "$1" "$2" > "$dir/out" 2> "$dir/all" || status=$?
    [ "$status" = 6 ]
    [ ! -e "$3" ]
    grep "^saemill-$1: " "$dir/all" > "$dir/err"
    shift 3
    refusal "$@"
}

documents 120 > "$dir/text/0.jsonl"
documents 40 | tac > "$dir/text/1.jsonl"
suite > "$dir/suite.yaml"
