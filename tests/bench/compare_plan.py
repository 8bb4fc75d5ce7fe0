"""What saemill plan says of a suite, beside what it then takes: a table, stage by stage.

    compare_plan.py SUITE

Measures this machine with the suite, plans it, and runs it from its beginning; the run
folder must not exist.  The exit status is the verdict: wall time within 25 %, disk within
10 % of the plan.
"""
import json
import os
import subprocess
import sys
import time

STAGES = ["tokenize", "harvest", "shuffle", "train", "evaluate", "release"]
FOLDERS = {"tokenize": "tokens"}


def bytes_below(folder):
    return sum(os.path.getsize(os.path.join(place, name))
               for place, _, names in os.walk(folder) for name in names)


def run(suite):
    """Seconds of each stage, by when it prints its last line."""
    seconds, before = {}, time.monotonic()
    process = subprocess.Popen(["bin/saemill", "run", suite], stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        stage = line.split(":")[0]
        if stage in STAGES and " in " in line and "left" not in line:
            now = time.monotonic()
            seconds[stage] = now - before
            before = now
    if process.wait() != 0:
        sys.exit("the run failed")
    return seconds


def main(suite):
    status = json.loads(subprocess.check_output(["bin/saemill", "status", suite, "--json"]))
    if os.path.exists(status["run"]):
        sys.exit(f"{status['run']} is there already; move it away")
    subprocess.check_call(["bin/saemill", "measure", suite])
    plan = json.loads(subprocess.check_output(["bin/saemill", "plan", suite, "--json"]))
    seconds = run(suite)
    print(f"{'stage':10}{'planned':>10}{'took':>10}{'':>8}{'planned':>12}{'took':>12}")
    for stage in plan["stages"]:
        name = stage["stage"]
        size = bytes_below(os.path.join(status["run"], FOLDERS.get(name, name)))
        print(f"{name:10}{stage['seconds_here']:8.0f} s{seconds[name]:8.0f} s"
              f"{seconds[name] / stage['seconds_here']:8.2f}"
              f"{stage['bytes_left'] / 1e6:9.1f} MB{size / 1e6:9.1f} MB"
              f"{size / stage['bytes_left']:8.3f}")
    took, size = sum(seconds.values()), bytes_below(status["run"])
    print(f"{'all':10}{plan['seconds_here']:8.0f} s{took:8.0f} s{took / plan['seconds_here']:8.2f}"
          f"{plan['bytes_at_end'] / 1e6:9.1f} MB{size / 1e6:9.1f} MB"
          f"{size / plan['bytes_at_end']:8.3f}")
    return not (0.75 <= took / plan["seconds_here"] <= 1.25
                and 0.9 <= size / plan["bytes_at_end"] <= 1.1)


sys.exit(main(*sys.argv[1:]))
