"""Does a stage take the memory that it says it needs?

    memory.py LEAST PROGRAM COMMAND...

COMMAND, which runs ranks of PROGRAM, is first told that there is next to no memory, and must
refuse with the figure that it needs.  Then it is given that, and runs; meanwhile the memory of its
ranks is looked at: what several share counts once (PSS).  The most must be between LEAST and 1.1 of the
figure, or the exit status is 1.  The command's own output is shown.
"""
import math
import os
import re
import subprocess
import sys
import time

UNITS = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
PAUSE = 10              # times as long as looking, which holds the ranks up, but
LONGEST = 0.2           # seconds: on a busy machine a look takes long, and the peak must not be missed


def figure(command):
    """Bytes that the command says it needs."""
    refusal = subprocess.run(command, env=dict(os.environ, SLURM_MEM_PER_NODE="1"),
                             capture_output=True, text=True, check=False).stderr
    found = re.search(r"needs ([\d.e+]+) (\w+) of memory", refusal)
    if found is None:
        sys.exit("was not refused for lack of memory:\n" + refusal)
    return float(found[1]) * UNITS[found[2]]


def parents():
    """{process: (name, its parent)}"""
    found = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as file:
                name, rest = file.read().split("(", 1)[1].rsplit(")", 1)
            found[int(entry)] = (name, int(rest.split()[1]))
        except OSError:
            pass            # it has ended
    return found


def below(process, ancestor, known):
    while process in known and process != ancestor:
        process = known[process][1]
    return process == ancestor


def shared_once(process):
    """Its bytes, of shared pages its part."""
    try:
        with open(f"/proc/{process}/smaps_rollup", encoding="utf-8") as file:
            return sum(int(line.split()[1]) for line in file if line.startswith("Pss:")) * 1024
    except OSError:
        return 0


def main(least, program, command):
    needed, peak = figure(command), 0
    limit = str(math.ceil(1.005 * needed / 2**20))      # the figure has three digits
    with subprocess.Popen(command, env=dict(os.environ, SLURM_MEM_PER_NODE=limit)) as running:
        while running.poll() is None:
            start = time.monotonic()
            known = parents()
            ranks = [p for p, (name, _) in known.items()
                     if name == program[:15] and below(p, running.pid, known)]
            peak = max(peak, sum(map(shared_once, ranks)))
            time.sleep(min(PAUSE * (time.monotonic() - start), LONGEST))
    print(f"memory: at most {peak / 1e9:.3f} GB together, where {needed / 1e9:.3f} GB were said to be "
          f"needed: {peak / needed:.2f}")
    return running.returncode or int(not least < peak / needed < 1.1)


sys.exit(main(float(sys.argv[1]), sys.argv[2], sys.argv[3:]))
