"""Does a command still move?  No clock says so: neither the points that its processes pass, which
strike.c counts in a file, nor the processor time that they have used.

A command hangs if no point is passed while many looks find all its processes asleep, or while they
use more processor time than any step between two points can need.  (Ranks of MPI that wait sleep at
most looks, not at all.)
"""
import mmap
import os
import signal
import subprocess
import time

LOOK = 0.1              # seconds between two looks
ASLEEP = 600            # looks at sleeping processes
SPINNING = 120          # seconds of processor time without a point
TICK = os.sysconf("SC_CLK_TCK")


def processes(session):
    """{pid: (state, seconds of processor time)} of a session."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rsplit(")", 1)[1].split()
        except OSError:             # it has just ended
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found[int(name)] = (fields[0], (int(fields[11]) + int(fields[12])) / TICK)
    return found


class Progress:
    """Of the commands of one session; `path` is what STRIKE_PROGRESS names."""

    def __init__(self, path):
        with open(path, "wb") as file:
            file.write(bytes(8))
        with open(path, "r+b") as file:
            self.counter = mmap.mmap(file.fileno(), 8)
        self.begin()

    def begin(self):
        self.points = self.used = None
        self.asleep = 0

    def hangs(self, session):
        """To be called again and again, LOOK apart.  Processes that are stopped go on."""
        found = processes(session)
        for pid, (state, _) in found.items():
            if state == "T":
                os.kill(pid, signal.SIGCONT)
        points = self.counter[:]
        used = sum(seconds for _, seconds in found.values())
        if points != self.points:
            self.points, self.used, self.asleep = points, used, 0
            return False
        self.asleep += all(state == "S" for state, _ in found.values())
        return self.asleep >= ASLEEP or used - self.used >= SPINNING


def stacks(session):
    """Those of all processes, as text."""
    shown = []
    for pid in processes(session):
        told = subprocess.run(["gdb", "-batch", "-p", str(pid), "-ex", "thread apply all bt"],
                              capture_output=True, text=True, check=False)
        shown.append(f"process {pid}:\n{told.stdout}")
    return "\n".join(shown)


def end(session):
    """Kill what is left of a session, and wait for its end."""
    while found := processes(session):
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(LOOK)
