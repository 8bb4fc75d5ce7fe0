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
# One thread a rank: three ranks on two cores are enough, and those that wait sleep.
export OMP_NUM_THREADS=1
export LD_PRELOAD="$PWD/build/tests/doze.so"
# When a rank fails mpirun ends the others at once.
export OMPI_MCA_odls_base_sigkill_timeout=0
hung=1800       # seconds after which a command counts as hanging, on a machine however busy
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
    timeout "$hung" $MPIRUN -n "$ranks" "bin/saemill-$stage" "$@"
}

# struck STRIKE RANKS RANK STAGE [ARGUMENT...]: a stage on RANKS ranks, one of which is struck at a
# point of its progress (tests/preload/strike.c).  Fails unless it was struck, and the stage failed,
# with $status.
struck() {
    strike=$1 struck_ranks=$2 struck_rank=$3 struck_stage=$4
    shift 4
    rm -f "$dir/strikes"
    status=0
    striking stage "$struck_ranks" "$struck_stage" "$dir/suite.yaml" "$@" > "$dir/struck" 2>&1 \
        || status=$?
    [ "$status" != 0 ]
    grep -q "^struck $strike at " "$dir/strikes"
}

# striking COMMAND...: a command under which stage $struck_stage is struck at $strike, in rank
# $struck_rank or, if that is empty, in each; points are calls on files whose path contains $under.
under=$dir/run
striking() {
    LD_PRELOAD="$PWD/build/tests/strike.so:$LD_PRELOAD" STRIKE="$strike" \
        STRIKE_PROGRAM="saemill-$struck_stage" STRIKE_RANK="$struck_rank" STRIKE_UNDER="$under" \
        STRIKE_LOG="$dir/strikes" "$@"
}

# points KIND RANK RANKS STAGE [ARGUMENT...]: do a stage, undisturbed, and say on standard output how
# many points of that kind the rank had.
points() {
    kind=$1 strike='' struck_rank=$2 struck_ranks=$3 struck_stage=$4
    shift 4
    rm -f "$dir/strikes"
    striking stage "$struck_ranks" "$struck_stage" "$dir/suite.yaml" "$@" > "$dir/struck" 2>&1
    sed -n "s/^counted.* $kind \([0-9]*\).*/\1/p" "$dir/strikes"
}

# drawn COUNT FROM SEED: COUNT numbers of 1 to FROM, the same for the same seed.
drawn() {
    awk -v count="$1" -v from="$2" -v seed="$3" 'BEGIN {
        srand(seed)
        while (count-- > 0) print 1 + int(from * rand()) }'
}

# await COMMAND...: until it succeeds.
await() {
    for _ in $(seq $((10 * hung))); do
        "$@" > "$dir/await" 2>&1 && return 0
        sleep 0.1
    done
    cat "$dir/await"
    return 1
}

# The ranks of stage $1 that a strike has stopped; let them go on.
halted() { pgrep -r T -f "^[^ ]*saemill-$1 .*$dir/"; }
go_on()  { pkill -CONT -f "^[^ ]*saemill-$1 .*$dir/"; }

# Wait until ranks of stage $1 are halted; fails if process $2, which runs it, has ended.
await_halt() {
    until halted "$1" > "$dir/halted"; do
        kill -0 "$2"
        sleep 0.05
    done
}

# Does a signal wait for each halted rank of stage $1?
signalled() {
    for halted_rank in $(halted "$1"); do
        grep -q '^ShdPnd:.*[1-9a-f]' "/proc/$halted_rank/status" || return 1
    done
}

# survives_strikes POINTS STAGE [ARGUMENT...]: the stage, on one rank, killed at so many points of its
# progress or at all, goes on from each to the same bits (tests/faults/strikes.py).
survives_strikes() {
    number=$1
    shift
    HDF5_PLUGIN_PATH=lib "$PYTHON" -B tests/faults/strikes.py "$number" KILL "$dir/suite.yaml" "$@"
}

# Fails, and says how, unless the run folders $1 and $2 hold the same data.
same_run() {
    HDF5_PLUGIN_PATH=lib "$PYTHON" tests/end_to_end/same_run.py "$1" "$2"
}

# Name, place on disk and time of every complete file of the run.  Not of checkpoints, which
# come and go, of training logs, which belong to the autoencoder that is published later, and of
# files to be renamed (suite/ownership.h).
complete() {
    find "$dir/run" \( -name '*.part' -o -name logs \) -prune -o -type f ! -name lock \
        ! -name '*.checkpoint*.h5' ! -name '*.tsv' ! -name '*.claim-*' -printf '%p %i %T@\n' | sort
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

# refused SUITE WORD...: `saemill run SUITE` ends, and not well, with such a refusal.
refused() {
    if timeout "$hung" bin/saemill run "$1" > "$dir/out" 2> "$dir/err"; then
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
