#!/bin/sh
# The driver: one run at a time in a folder; a signal stops it in order and loses nothing; it
# says what it cannot do.
. tests/lib.sh

suite_file=$PWD/$dir/suite.yaml      # absolute, so that ranks of other tests have another

# Start a run in the background, and wait until a rank of its harvest is halted at work.
start() {
    rm -rf "$dir/run"
    under=harvest/00000.part strike=write:5:STOP struck_rank=0 struck_stage=harvest
    striking bin/saemill run "$suite_file" > "$dir/out" 2> "$dir/err" &
    shell=$!
    await_halt harvest $shell
    driver=$(pgrep -f "^bin/saemill run $suite_file")
}

# The exit status of the driver.
end() {
    status=0
    wait $shell || status=$?
    cat "$dir/out" "$dir/err"
    echo "exit status $status"
}

# How many ranks of this test are there?
ranks_alive() {
    pgrep -f -c "saemill-[a-z]* $suite_file" || [ $? = 1 ]    # 1: none
}

no_ranks_alive() { [ "$(ranks_alive)" = 0 ]; }

a_second_run_is_refused_while_the_first_goes_on() {
    start
    bin/saemill status "$suite_file" | grep -F "a run is going on (process $driver)"
    refused "$suite_file" "(process $driver)" "$dir/run"
    kill -TERM $driver
    await signalled harvest
    go_on harvest
    end
    bin/saemill status "$suite_file" | grep -F "no run is going on"
}

a_signal_stops_the_ranks_in_order() {
    start
    kill -INT $driver
    await signalled harvest
    go_on harvest
    end
    [ "$status" = 7 ]
    grep -F "stopping after the work in hand" "$dir/err"
    grep -F "saemill-harvest: stopped by a signal" "$dir/err"
    grep -F "goes on from there" "$dir/err"
    no_ranks_alive
}

a_second_signal_stops_them_at_once() {
    start
    kill -TERM $driver
    await signalled harvest
    kill -TERM $driver
    end
    [ "$status" = 7 ]
    no_ranks_alive
}

a_killed_driver_takes_its_ranks_with_it() {
    start
    kill -KILL $driver
    end
    await no_ranks_alive
    bin/saemill status "$suite_file" | grep -F "no run is going on"
}

says_that_there_is_no_mpirun() {
    if PATH=$dir bin/saemill run "$suite_file" 2> "$dir/err"; then return 1; fi
    grep -F "no mpirun in PATH" "$dir/err"
}

status_is_machine_readable() {
    rm -rf "$dir/run"
    stage 2 tokenize "$suite_file"
    bin/saemill status "$suite_file" --json > "$dir/status.json"
    "$PYTHON" - "$dir/status.json" << 'END'
import json, sys
status = json.load(open(sys.argv[1]))
stages = {stage["stage"]: stage for stage in status["stages"]}
assert not status["running"] and status["leftovers"] == 0
assert stages["tokenize"]["done"] == stages["tokenize"]["total"] == 2
assert stages["harvest"]["done"] == 0 and stages["harvest"]["total"] > 1
assert stages["train"]["total"] == 5 and stages["train"]["tasks"] == 4
assert stages["train"]["states"]["missing"] == 3    # attn.00 has no autoencoders
END
}

# A corpus file that is not JSON: the reason is there for whoever asks later.
status_tells_why_a_run_failed() {
    rm -rf "$dir/run"
    cp "$dir/text/1.jsonl" "$dir/saved"
    echo 'not json' > "$dir/text/1.jsonl"
    refused "$suite_file" "text/1.jsonl"
    mv "$dir/saved" "$dir/text/1.jsonl"
    bin/saemill status "$suite_file" | tee "$dir/status"
    grep -F "1 failed" "$dir/status"
    grep -F "logs/tokenize.log" "$dir/status"
    grep "^  saemill-tokenize: .*text/1.jsonl" "$dir/status"
    bin/saemill status "$suite_file" --json > "$dir/status.json"
    "$PYTHON" - "$dir/status.json" << 'END'
import json, sys
tokenize = json.load(open(sys.argv[1]))["stages"][0]
assert tokenize["states"]["done"] == 1 and tokenize["states"]["failed"] == 1
assert tokenize["unfinished"][0]["task"] == 1
assert "text/1.jsonl" in tokenize["unfinished"][0]["reason"]
END
}

# wrong_command REASON [WORD...]
wrong_command() {
    reason=$1
    shift
    if bin/saemill "$@" 2> "$dir/err"; then return 1; fi
    grep -x -F "saemill: $reason" "$dir/err"
}

says_what_is_not_a_command() {
    wrong_command "'rnu' is not a command; try saemill --help" rnu "$suite_file"
    wrong_command "that should be: saemill run SUITE" run
    wrong_command "that should be: saemill run SUITE" run "$suite_file" "$suite_file"
    wrong_command "that should be: saemill plan SUITE [--json]" plan --jsn "$suite_file"
    wrong_command "that should be: saemill submit SUITE [--dry-run]" submit --dry-run
    bin/saemill plan --json "$suite_file" | "$PYTHON" -c 'import json, sys; json.load(sys.stdin)'
    bin/saemill --help | grep -F "saemill run SUITE"
}

try a_second_run_is_refused_while_the_first_goes_on
try a_signal_stops_the_ranks_in_order
try a_second_signal_stops_them_at_once
try a_killed_driver_takes_its_ranks_with_it
try says_that_there_is_no_mpirun
try status_is_machine_readable
try status_tells_why_a_run_failed
try says_what_is_not_a_command
finish
