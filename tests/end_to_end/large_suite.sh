#!/bin/sh
# Five thousand tasks: to plan them, to look at them and to submit them is a matter of seconds.
. tests/lib.sh

suite | sed 's/shard: 64/shard: 1\n  tokens: 321280/' > "$dir/suite.yaml"
mkdir -p "$dir/run/harvest"
cd "$dir/run/harvest" || exit 1
seq -f %05.0f 0 3999 | xargs mkdir
cd - > /dev/null || exit 1
mkdir "$dir/run/logs"
for task in 4000 4001 4002; do
    echo '{"ending": "failed", "progress": 0, "idle": 0}' > "$dir/run/logs/harvest-0$task.json"
    echo "saemill-harvest: no room" > "$dir/run/logs/harvest-0$task.log"
done

# Runs a command, which must take less than five seconds of a core, whatever others take.
soon() {
    (ulimit -t 5; exec "$@") > "$dir/out"
    head -n 20 "$dir/out"
}

is_planned_soon() {
    soon bin/saemill plan "$dir/suite.yaml"
    soon bin/saemill plan jobs/gemma2-2b.yaml
    grep -F "815 autoencoders on 78 streams" "$dir/out"
    grep -F "4.91 PiB" "$dir/out"       # arXiv:2408.05147, 3.3, by its arithmetic
    soon bin/saemill plan jobs/gemma2-9b.yaml
    grep -F "1554 autoencoders on 126 streams" "$dir/out"
    grep -F "13.4 PiB" "$dir/out"
    soon bin/saemill plan jobs/gpt2-small.yaml --json
    "$PYTHON" -c 'import json, sys; assert json.load(sys.stdin)["autoencoders"] == 72' < "$dir/out"
    soon bin/saemill plan jobs/qwen3-0.6b.yaml
    grep -F "12 autoencoders on 4 streams" "$dir/out"
}

is_looked_at_soon() {
    soon bin/saemill status "$dir/suite.yaml"
    grep "^  harvest    4000 of  5020 shards: 3 failed, 1017 missing" "$dir/out"
    grep -F "  saemill-harvest: no room" "$dir/out"
    soon bin/saemill status "$dir/suite.yaml" --json
}

# Arrays of a thousand, as Slurm allows them by default, that begin where work is missing.
is_submitted_soon() {
    soon bin/saemill submit "$dir/suite.yaml" --dry-run
    grep -F -e "--array=0-999 " -e " harvest 4000)" "$dir/out"
    grep -F -e "--array=0-19 " -e " harvest 5000)" "$dir/out"
    grep -F -e '--dependency=afterok:$harvest' "$dir/out"
    grep -F -e '--dependency=aftercorr:$shuffle' "$dir/out"
    [ ! -e "$dir/run/suite.yaml" ]
}

try is_planned_soon
try is_looked_at_soon
try is_submitted_soon
finish
