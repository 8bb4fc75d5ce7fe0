"""Strike a stage at many points of its progress; each time it must go on to the same bits.

    strikes.py POINTS ACTION SUITE STAGE [ARGUMENT...]

The stage works on one rank.  It is first done undisturbed, which tells how many points it has
(strike.c says what a point is).  Then POINTS of them are drawn, from a fixed seed (or all are
taken, if there are no more).  At each of them the stage is struck from its beginning with ACTION;
the same command must go on to the end, with the bits of the undisturbed run, and whatever was
complete before must still be there, untouched.  The run folder must hold all that the stage needs
and nothing of its own; it is left like that.  The exit status is the verdict.
"""
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

import progress

sys.path.insert(0, "tests/end_to_end")
import same_run         # noqa: E402  pylint: disable=wrong-import-position

MPI_LEFT = re.compile(r"\.(locktest\.\d+|lock)$")    # files of Open MPI's own
REQUEST = 128           # bytes, TEXT in strike.c
ENVIRONMENT = {
    "LD_PRELOAD": "build/tests/strike.so",
    "OMPI_MCA_ess_singleton_isolated": "1",     # no daemon next to a rank without mpirun
    "OMPI_MCA_pml": "ob1",
    "LD_BIND_NOW": "1",                         # once, and not in each child
}


class Stage:
    """A stage after its start, that is done as often as one likes."""

    def __init__(self, folder, suite, stage, arguments):
        self.log, self.output = suite + ".strikes", suite + ".output"
        self.socket, theirs = socket.socketpair()
        program = "saemill-" + stage
        self.progress = progress.Progress(suite + ".progress")
        self.hung = ""          # the stacks of a stage that hung
        environment = dict(os.environ, **ENVIRONMENT, STRIKE_PROGRAM=program, STRIKE_UNDER=folder,
                           STRIKE_LOG=self.log, STRIKE_SERVE=str(theirs.fileno()),
                           STRIKE_PROGRESS=suite + ".progress")
        with open(self.output, "wb") as output:
            pass
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                ["bin/" + program, suite, *arguments], env=environment, stdout=output,
                stderr=subprocess.STDOUT, pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()

    def do(self, strike=""):
        """Exit status, or minus the signal that ended it, or None if it hung; and what the log says.
        What it printed is in the file `output`."""
        if os.path.exists(self.log):
            os.remove(self.log)
        os.truncate(self.output, 0)
        self.progress.begin()
        self.socket.sendall(strike.encode().ljust(REQUEST, b"\0"))
        hung = self.wait()
        answer = self.socket.recv(4)
        if len(answer) < 4:
            sys.exit("the stage ended when it was asked for " + (strike or "a run"))
        log = ""
        if os.path.exists(self.log):
            with open(self.log, encoding="utf-8") as file:
                log = file.read()
        return None if hung else os.waitstatus_to_exitcode(int.from_bytes(answer, sys.byteorder)), log

    def wait(self):
        """Until there is an answer, or the child hangs: its stacks are kept, then it is killed."""
        while not select.select([self.socket], [], [], progress.LOOK)[0]:
            if self.progress.hangs(self.process.pid):
                self.hung = progress.stacks(self.process.pid)
                for child in progress.processes(self.process.pid).keys() - {self.process.pid}:
                    os.kill(child, signal.SIGKILL)
                return True
        return False

    def end(self):
        self.socket.close()
        self.process.wait()


def files(folder):
    """{path: (inode, time)} of all files."""
    found = {}
    for place, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(place, name)
            about = os.lstat(path)
            found[path] = (about.st_ino, about.st_mtime_ns)
    return found


def complete(found):
    """Those of files() that a stage must not touch any more.  A task of a task file is complete with
    its .json, which is written last."""
    return {path: what for path, what in found.items()
            if ".part" not in path and ".checkpoint" not in path
            and not path.endswith((".tsv", ".steps.h5", "/lock")) and "/logs/" not in path
            and not re.search(r"\.claim-\d+$", path)
            and (not re.search("/(circuit|intervene|invert)/", path)
                 or os.path.splitext(path)[0] + ".json" in found)}


def remove_all_but(kept, folder):
    """Of all files and folders only those in `kept` are left."""
    for place, folders, names in os.walk(folder, topdown=False):
        for name in names:
            if os.path.join(place, name) not in kept:
                os.remove(os.path.join(place, name))
        for name in folders:
            if not os.listdir(os.path.join(place, name)):
                os.rmdir(os.path.join(place, name))


def different(given, folder, whole):
    """Which files that were not given are not those of the undisturbed run?"""
    names = {name for name in same_run.files(folder) if not MPI_LEFT.search(name)}
    if names != same_run.files(whole):
        return sorted(names ^ same_run.files(whole))
    return [name for name in sorted(names) if os.path.join(folder, name) not in given
            and same_run.difference(os.path.join(whole, name), os.path.join(folder, name))]


def faults(stage, strike, given, folder, whole):
    """What is wrong after a strike."""
    began = complete(files(folder))
    ending, log = stage.do(strike)
    if f"struck {strike} at" not in log:
        return f"was not struck: {log}"
    if strike.endswith(":KILL") and ending != -signal.SIGKILL or ending == 0:
        return f"ended with {ending}"
    struck = complete(files(folder))
    ending, _ = stage.do()
    if ending != 0:
        return f"did not go on: {ending}"
    after = complete(files(folder))
    lost = [path for known in (began, struck) for path in known if after.get(path) != known[path]]
    if lost:
        return "lost or touched " + ", ".join(lost)
    differ = different(given, folder, whole)
    return "changed " + ", ".join(differ) if differ else ""


def main(points, action, suite, name, *arguments):
    with open(suite, encoding="utf-8") as file:
        folder = re.search(r"^run: (.*)$", file.read(), re.MULTILINE)[1]
    whole = suite + ".whole"
    stage = Stage(folder, suite, name, arguments)
    given = files(folder)
    ending, log = stage.do()
    if ending != 0:
        sys.exit(f"{name} ended with {ending}, undisturbed: see {stage.output}")
    total = int(re.search(r"^counted any (\d+) ", log, re.MULTILINE)[1])
    shutil.copytree(folder, whole)
    chosen = range(1, total + 1)
    if total > points:
        chosen = sorted(random.Random(7).sample(chosen, points))
    began = time.monotonic()
    for n in chosen:
        remove_all_but(given, folder)
        fault = faults(stage, f"any:{n}:{action}", given, folder, whole)
        if fault:
            sys.exit(f"{name} struck at point {n} of {total}: {fault}; see {stage.output}")
    stage.end()
    seconds = time.monotonic() - began
    print(f"{name}: struck at {len(chosen)} of {total} points, went on from each "
          f"({1000 * seconds / len(chosen):.0f} ms a point)")
    remove_all_but(given, folder)
    shutil.rmtree(whole)


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
