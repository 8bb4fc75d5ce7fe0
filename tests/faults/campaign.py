"""A campaign against the stages: kills, failing calls, failing memory, damaged files.

    campaign.py ATTACK POINTS FOLDER [STAGE[:STRIKE]]

    ATTACK   all       one after the other:
             kills     SIGKILL, SIGTERM, SIGSTOP at points of every stage, alone
             jobs      the same to all ranks, one rank, mpirun alone; and of `run`
             errors    each call on the run folder fails once: ENOSPC, EDQUOT, EIO, EINTR, or short
             memory    allocations fail: the first, middle and last of each place that allocates,
                       and some drawn by seed
             damage    bits, pages, tails, foreign and swapped files, in every kind of file
    POINTS   how many are tried, shared among the stages and drawn from a fixed seed
    FOLDER   for suite, run folder and what the stages say; it is emptied
    STAGE, STRIKE     only these, to see a fault again; a strike as strike.c reads it

A stage works on one rank, as a child of a server (strike.c), so that a blow costs milliseconds;
the attack `jobs` uses mpirun.  After each blow the same command must go on to the bits of the
undisturbed run, with all that was complete before still there, untouched.

A blow is detected (refused, with a sentence and the right exit status), recovered (the stage ended
by the blow, and the next gave the same bits), harmless (the stage ended well with the same bits) or
foreign (HDF5, OpenSSL, MPI and the like ended the stage when an allocation of their own failed, and the next
gave the same bits). All else is a fault: lost (a complete file is gone or was touched), wrong
(other bits, or a refusal without its sentence or status), hung, crashed. At the end comes a table;
the exit status is the verdict.
"""
import collections
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import progress
import strikes

SEED = 7
OUTCOMES = ("detected", "recovered", "harmless", "foreign", "lost", "wrong", "hung", "crashed")
GOOD, BAD = OUTCOMES[:4], OUTCOMES[4:]
ATTACKS = ("kills", "jobs", "errors", "memory", "damage")

# Stages of the suite; and task files, which have run folders of their own: the stage, and its section.
SUITE_STAGES = ("tokenize", "harvest", "shuffle", "train", "evaluate", "release")
TASKS = {
    "edges": ("circuit", """\
  prompts: [{home}/prompts.jsonl]
  method: acdc
  metric: kl
  thresholds: [0.3, 1]
"""),
    "latents": ("circuit", """\
  prompts: [{home}/prompts.jsonl]
  method: latents
  metric: logit_difference
  suite: {suite}
  autoencoders: [res.00/w64-t8, res.01/w64-t8-topk]
  samples: 3
  steps: 2
"""),
    "unlearning": ("intervene", """\
  method: unlearning
  suite: {suite}
  autoencoders: [res.00/w64-t8]
  forget: [{home}/text/0.jsonl]
  retain: [{home}/text/1.jsonl]
  texts: 4
  context: 16
  thresholds: [0.9]
  latents: [2]
  strengths: [1, 5]
"""),
    "steering": ("intervene", """\
  method: steering
  suite: {suite}
  autoencoders: [res.00/w64-t8]
  retain: [{home}/text/1.jsonl]
  texts: 2
  context: 8
  vectors: 8
  portion: 4
  held_out: 2
  epochs: 2
  targets: [1]
"""),
    "inversion": ("invert", """\
  generator: decoder
  suite: {suite}
  autoencoders: [res.00/w64-t8]
  texts: [{home}/text/0.jsonl]
  count: 2
  steps: 40
  restarts: 2
"""),
}
STAGES = (*SUITE_STAGES, *TASKS)

# Exit statuses (README.md) that an error may end in.  Libraries do not tell their lack of memory from
# other failures, and MPI does not say why it could not write, whereupon the disk is asked.
STATUS = {"ENOSPC": {6}, "EDQUOT": {3, 6}, "EIO": {3}, "EINTR": {3}, "SHORT": {3, 4, 6},
          "ENOMEM": {2, 3, 4, 6}}

# Who allocates for MPI is not ours to mend.
MPI = re.compile(r"/(lib(mpi|open-|mca_|pmix|hwloc|event)|mca_)")
# HDF5, OpenSSL, SentencePiece and libyaml die of some of their own.
FOREIGN = re.compile(r"/lib(hdf5|crypto|gomp|openblas|dnnl|sentencepiece|yaml)")
# libc and C++ allocate for whoever calls them.
BETWEEN = re.compile(r"/(libc|libstdc\+\+)\.so|strike\.so")

SUITE = """\
name: campaign
run: {run}
model:
  path: {model}
corpus:
  files: [{text}/*.jsonl]
  context: 32
  holdout: 0.2
harvest:
  sites: [res]
  layers: [0, 1]
  block: 4
  shard: 32
shuffle:
  shard: 512
  memory: 4700kB
train:
  batch: 128
  warmup: 2
  sparsity_warmup: 2
  learning_rate: 1e-3
  checkpoint: 3
saes:
  - {{sites: [res], widths: [64], target_l0: [8], tokens: 1024}}
  - {{sites: [res], layers: [1], widths: [64], target_l0: [8], tokens: 1024, recipe: topk}}
"""

TASK = """\
name: {name}
run: {run}
model:
  path: {model}
{stage}:
"""

# Beginnings of the license; as many tokens in both of a pair.
PROMPTS = """\
{"clean": "of the", "corrupted": "in the", "answers": [" work"], "wrong": [" you"]}
{"clean": "to the", "corrupted": "by the", "answers": [" work"], "wrong": [" you"]}
"""


class Fault(Exception):
    """An outcome that must not be, and why."""

    def __init__(self, outcome, why):
        super().__init__(why)
        self.outcome = outcome


def make_suite(folder):
    """A suite of some seconds, with texts of its own; its path."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder + "/text")
    with open("LICENSE", encoding="utf-8") as file:
        lines = [line.strip().replace('"', "'") for line in file if line.strip()]
    for name, first in (("0", 0), ("1", 60)):
        with open(f"{folder}/text/{name}.jsonl", "w", encoding="utf-8") as file:
            for d in range(first, first + 60, 6):
                file.write('{"text": "' + " ".join(lines[d:d + 5]) + '"}\n')
    shutil.copytree("jobs/demo/tiny-gemma2", folder + "/model")
    path = folder + "/suite.yaml"
    with open(path, "w", encoding="utf-8") as file:
        file.write(SUITE.format(run=folder + "/run", model=folder + "/model", text=folder + "/text"))
    with open(folder + "/prompts.jsonl", "w", encoding="utf-8") as file:
        file.write(PROMPTS)
    for name, (stage, text) in TASKS.items():
        with open(f"{folder}/{name}.yaml", "w", encoding="utf-8") as file:
            file.write((TASK + text).format(name=name, run=f"{folder}/{name}-run", home=folder,
                                            stage=stage, model=folder + "/model", suite=path))
    return path


def named(suite, stage):
    """(file that names a stage's work, its run folder, the stage's program)."""
    home = os.path.dirname(suite)
    if stage in TASKS:
        return f"{home}/{stage}.yaml", f"{home}/{stage}-run", TASKS[stage][0]
    return suite, home + "/run", stage


def said(path, stage):
    """The reason that a stage gave, or "" if it gave none."""
    with open(path, encoding="utf-8", errors="replace") as file:
        found = re.findall(rf"^saemill(?:-{stage})?: (.+)$", file.read(), re.MULTILINE)
    return " ".join(found)


class Scene:
    """One stage, its inputs in place, and its undisturbed result."""

    def __init__(self, suite, stage):
        self.name = stage
        file, self.run, self.program = named(suite, stage)
        self.whole = f"{suite}.{stage}"
        os.makedirs(self.run, exist_ok=True)
        self.given = strikes.files(self.run)
        self.stage = strikes.Stage(self.run, file, self.program, ())
        self.mapped = []            # modules of the stage
        self.module = {}            # {address in its log: path of its module}

    def do(self, strike=""):
        """Exit status and log, and never a hang."""
        ending, log = self.stage.do(strike)
        if ending is None:
            raise Fault("hung", self.stage.hung)
        return ending, log

    def undisturbed(self):
        """Keep the result to compare others with; the log."""
        ending, log = self.do()
        if ending != 0:
            sys.exit(f"{self.name} ended with {ending}, undisturbed: see {self.stage.output}")
        shutil.copytree(self.run, self.whole)
        return log

    def reason(self):
        return said(self.stage.output, self.program)

    def points(self, log, kind):
        return int(re.search(rf"^counted .*\b{kind} (\d+)", log, re.MULTILINE)[1])

    def rest(self):
        """Only the inputs are left."""
        strikes.remove_all_but(self.given, self.run)

    def compare(self):
        differ = strikes.different(self.given, self.run, self.whole)
        if differ:
            raise Fault("wrong", "other bits in " + ", ".join(differ))

    def finish(self):
        """Leave the undisturbed result in place for the next stage."""
        self.stage.end()
        shutil.rmtree(self.run)
        shutil.move(self.whole, self.run)


def untouched(before, folder):
    after = strikes.complete(strikes.files(folder))
    lost = [path for path, what in before.items() if after.get(path) != what]
    if lost:
        raise Fault("lost", "lost or touched " + ", ".join(sorted(lost)))


def judge_ending(scene, action, ending, wanted):
    """What a stage that was struck did at once.  `wanted`: statuses of a refusal."""
    reason = scene.reason()
    if ending == 0:
        scene.compare()
        return "harmless"
    if action.startswith("KILL") and ending == -signal.SIGKILL:
        return "recovered"
    if action.startswith("TERM") and ending in (7, -signal.SIGTERM):
        return "recovered"
    if action == "ENOMEM" and ending == -signal.SIGABRT and "memory" in reason:
        return "detected"
    if ending < 0:
        raise Fault("crashed", f"{signal.Signals(-ending).name} {reason}")
    if not reason:
        raise Fault("wrong", f"ended with {ending} and no word")
    if ending not in wanted:
        raise Fault("wrong", f"ended with {ending} of {sorted(wanted)}: {reason}")
    return "detected"


def strike_once(scene, strike):
    """Strike, then go on; the outcome."""
    action = strike.rsplit(":", 1)[1]
    began = strikes.complete(strikes.files(scene.run))
    ending, log = scene.do(strike)
    if f"struck {strike} at" not in log:
        return "harmless" if ending == 0 else judge_ending(scene, "", ending, set())
    if is_foreign(scene, log) and ending != 0 and (ending < 0 or not scene.reason()):
        outcome = "foreign"
    else:
        outcome = judge_ending(scene, action, ending, STATUS.get(action, set()))
    untouched(began, scene.run)
    struck = strikes.complete(strikes.files(scene.run))
    ending, _ = scene.do()
    if ending != 0:
        raise Fault("lost", f"did not go on: {ending} {scene.reason()}")
    untouched(struck, scene.run)
    scene.compare()
    return outcome


def drawn(chosen, number):
    chosen = list(chosen)
    return chosen if len(chosen) <= number else random.Random(SEED).sample(chosen, number)


def kills(scene, log, number):
    chosen = drawn(range(1, scene.points(log, "any") + 1), number)
    actions = itertools.cycle(("KILL", "KILL", "TERM", "STOP"))
    return [f"any:{n}:{next(actions)}" for n in chosen]


def errors(scene, log, number):
    """Each call once, with an error that it may have: in turn."""
    writing = itertools.cycle(("ENOSPC", "EIO", "EDQUOT", "EINTR", "SHORT"))
    reading = itertools.cycle(("EIO", "EINTR", "SHORT"))
    every = [f"disk:{n}:{next(writing)}" for n in range(1, scene.points(log, "disk") + 1)]
    every += [f"read:{n}:{next(reading)}" for n in range(1, scene.points(log, "read") + 1)]
    return drawn(every, number)


def modules(pid):
    """[(begin, end, path, offset)] of what a process has mapped."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
        parts = [line.split() for line in file]
    return [(*(int(x, 16) for x in part[0].split("-")), part[5], int(part[2], 16))
            for part in parts if len(part) > 5]


def module_of(scene, address):
    if address not in scene.module:
        scene.mapped = scene.mapped or modules(scene.stage.process.pid)
        scene.module[address] = next((path for begin, end, path, _ in scene.mapped
                                      if begin <= int(address, 16) < end), "")
    return scene.module[address]


def callers(scene, line):
    """[(address, module)] of those that asked for memory in a line "site N ADDRESS ...", from the
    inside."""
    every = [(address, module_of(scene, address)) for address in line.split()[2:]]
    return [(address, module) for address, module in every if not BETWEEN.search(module)]


def of_mpi(own):
    return any(MPI.search(path) for _, path in own[:3])


def is_foreign(scene, log):
    """Was the struck allocation one of a library's own?"""
    site = re.search(r"^site .*$", log, re.MULTILINE)
    own = callers(scene, site[0]) if site else []
    return own and (of_mpi(own) or FOREIGN.search(own[0][1]) is not None)


def memory(scene, _, number):
    """The first, middle and last call of each place, and some drawn.  (Threads may make them in
    another order when one is struck.)"""
    scene.rest()
    _, log = scene.do("memory:1+:LIST")
    sites = collections.defaultdict(list)
    for line in re.findall(r"^site .*$", log, re.MULTILINE):
        own = callers(scene, line)
        if own and not of_mpi(own):
            sites[tuple(a for a, _ in own[:2])].append(int(line.split()[1]))
    if not sites:
        return []
    corners = {n for calls in sites.values() for n in (calls[0], calls[len(calls) // 2], calls[-1])}
    every = sorted(n for calls in sites.values() for n in calls)
    chosen = drawn(sorted(corners), number)
    chosen += drawn(sorted(set(every) - corners), max(0, number - len(chosen)))
    return [f"memory:{n}:ENOMEM" for n in chosen]


# --- damage -----------------------------------------------------------------------------

# Whose files a stage reads: folders from its run folder.
READS = {"harvest": ("tokens",), "shuffle": ("harvest",), "train": ("shuffle",),
         "evaluate": ("train", "tokens"), "release": ("train", "evaluate"),
         "latents": ("../run/train",), "unlearning": ("../run/train",),
         "steering": ("../run/train",), "inversion": ("../run/train",)}


def bit(_, path, draw):
    at = draw.randrange(os.path.getsize(path))
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << draw.randrange(8)]))
    return f"bit at {at}"


def page(_, path, draw):
    at = draw.randrange(0, os.path.getsize(path), 4096)
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(bytes(min(4096, os.path.getsize(path) - at)))
    return f"page at {at}"


def tail(_, path, draw):
    size = draw.randrange(os.path.getsize(path))
    os.truncate(path, size)
    return f"tail behind {size}"


def swapped(others, path, draw):
    """Another one of the same kind."""
    of_kind = [other for other in others if kind_of(other) == kind_of(path) and other != path]
    if not of_kind:
        return "it is the only one"
    other = draw.choice(of_kind)
    shutil.copyfile(other, path)
    return f"contents of {other}"


def foreign(others, path, draw):
    """One of another kind."""
    of_kind = [other for other in others if kind_of(other) != kind_of(path)]
    other = draw.choice(of_kind or ["LICENSE"])
    shutil.copyfile(other, path)
    return f"contents of {other}"


HOW = (bit, bit, page, tail, swapped, foreign)


def kind_of(path):
    """Folders and the file's ending, without numbers."""
    return re.sub(r"[^/]*\d[^/.]*", "*", path)


def inputs(scene):
    """The files that a stage may read, by kind."""
    found = [path for folder in READS.get(scene.name, ())
             for path in strikes.files(os.path.join(scene.run, folder))
             if os.path.getsize(path) > 0 and not path.endswith(".md")]
    kinds = collections.defaultdict(list)
    for path in sorted(found):
        kinds[kind_of(path)].append(path)
    return kinds


def damage(scene, number):
    """[(what, how)]: a path and a number that draws the damage; every kind in turn."""
    kinds = inputs(scene)
    draw = random.Random(SEED)
    turns = itertools.product(range(len(HOW)), sorted(kinds))
    return [f"{draw.choice(kinds[kind])}:{how}:{n}"
            for n, (how, kind) in zip(range(number if kinds else 0), itertools.cycle(turns))]


def damage_once(scene, blow):
    path, how, seed = blow.rsplit(":", 2)
    others = [other for found in inputs(scene).values() for other in found]
    kept = path + ".kept"
    shutil.copy2(path, scene.whole + ".kept")
    with open(path, "rb") as file:
        before = file.read()
    try:
        what = HOW[int(how)](others, path, random.Random(int(seed)))
        with open(path, "rb") as file:
            if file.read() == before:
                return "harmless"
        ending, _ = scene.do()
        try:
            outcome = judge_ending(scene, "", ending, {2, 3, 4, 5, 6})
        except Fault as fault:
            raise Fault(fault.outcome, f"{what}: {fault}") from fault
    finally:
        if os.path.exists(kept):
            os.remove(kept)
        shutil.copy2(scene.whole + ".kept", path)
    scene.rest()
    ending, _ = scene.do()
    if ending != 0:
        raise Fault("lost", f"{what}: did not go on with the whole file: {scene.reason()}")
    scene.compare()
    return outcome


# --- jobs of several processes -------------------------------------------------------------

def job(command, suite, strike, stage, rank):
    """A command in a session of its own, struck in one rank of a stage; status, log."""
    _, run, program = named(suite, stage)
    log, output = suite + ".strikes", suite + ".output"
    watch = progress.Progress(suite + ".progress")
    if os.path.exists(log):
        os.remove(log)
    environment = dict(os.environ, OMPI_MCA_odls_base_sigkill_timeout="0", OMP_NUM_THREADS="1")
    if strike:
        environment |= {"LD_PRELOAD": "build/tests/strike.so:build/tests/doze.so",
                        "STRIKE": strike,
                        "STRIKE_PROGRAM": "saemill-" + program, "STRIKE_RANK": str(rank),
                        "STRIKE_UNDER": run, "STRIKE_LOG": log,
                        "STRIKE_PROGRESS": suite + ".progress"}
    with open(output, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment,
                                   start_new_session=True)
    while process.poll() is None or progress.processes(process.pid):
        time.sleep(progress.LOOK)
        if watch.hangs(process.pid):
            shown = progress.stacks(process.pid)
            progress.end(process.pid)
            process.wait()
            raise Fault("hung", shown)
    text = ""
    if os.path.exists(log):
        with open(log, encoding="utf-8") as file:
            text = file.read()
    return process.returncode, text


JOB_ACTIONS = [who + whom for whom in ("ALL", "", "PARENT") for who in ("KILL", "TERM", "STOP")]


def jobs_once(suite, stage, command, blow, given, whole):
    rank, strike = blow.split("/")
    _, run, program = named(suite, stage)
    strikes.remove_all_but(given, run)
    began = strikes.complete(strikes.files(run))
    ending, _ = job(command, suite, strike, stage, rank)
    untouched(began, run)
    struck = strikes.complete(strikes.files(run))
    again, _ = job(command, suite, "", stage, 0)
    if again != 0:
        raise Fault("lost", f"did not go on: {again} {said(suite + '.output', program)}")
    untouched(struck, run)
    differ = strikes.different(given, run, whole)
    if differ:
        raise Fault("wrong", "other bits in " + ", ".join(differ))
    return "recovered" if ending != 0 else "harmless"


def jobs_commands(suite):
    """(name, stages that are struck, command)."""
    mpirun = os.environ.get("MPIRUN", "mpirun --oversubscribe").split()
    for stage in STAGES:
        file, _, program = named(suite, stage)
        yield stage, (stage,), [*mpirun, "-n", "2", "bin/saemill-" + program, file]
    yield "run", SUITE_STAGES, ["bin/saemill", "run", suite]


def attack_jobs(suite, number, only, table):
    draw, actions = random.Random(SEED), itertools.cycle(JOB_ACTIONS)
    for name, struck, command in jobs_commands(suite):
        _, run, _ = named(suite, struck[0])
        if name == "run":
            shutil.rmtree(run)
        given = strikes.files(run) if os.path.isdir(run) else {}
        stage = struck[0]
        ending, log = job(command, suite, "any:1000000:KILL", stage, 0)
        if ending != 0:
            sys.exit(f"{name} ended with {ending}, undisturbed: see {suite}.output")
        whole = suite + "." + name
        shutil.copytree(run, whole)
        total = int(re.search(r"^counted any (\d+)", log, re.MULTILINE)[1])
        for n in range(number // (len(STAGES) + 1)):
            stage = struck[n % len(struck)]
            blow = f"{n % 2}/any:{draw.randint(1, total)}:{next(actions)}"
            if only and only not in (name, f"{name}:{blow}"):
                continue
            table.count(name, blow,
                        lambda: jobs_once(suite, stage, command, blow, given, whole))
        shutil.rmtree(run)
        shutil.move(whole, run)


# --- all of them ------------------------------------------------------------------------------

class Table:
    """How each blow ended, by stage."""

    def __init__(self, attack):
        self.attack, self.rows, self.began = attack, {}, time.monotonic()

    def count(self, stage, blow, once):
        row = self.rows.setdefault(stage, collections.Counter())
        try:
            outcome = once()
        except Fault as fault:
            outcome = fault.outcome
            print(f"{self.attack} {stage}:{blow}: {outcome}: {fault}", flush=True)
        row[outcome] += 1
        return outcome in GOOD

    def show(self):
        """Print it; the sum of all rows."""
        total = sum(self.rows.values(), collections.Counter())
        print(f"{self.attack:10}{'tried':>10}" + "".join(f"{name:>10}" for name in OUTCOMES))
        for stage, row in [*self.rows.items(), ("all", total)]:
            print(f"{stage:10}{sum(row.values()):10}"
                  + "".join(f"{row[name]:10}" for name in OUTCOMES))
        print(f"{self.attack}: {time.monotonic() - self.began:.0f} s", flush=True)
        return total


BLOWS = {"kills": kills, "errors": errors, "memory": memory, "damage": damage}


def attack_stage(scene, attack, number, only, table):
    log = scene.undisturbed()
    if attack == "damage":
        blows, once = damage(scene, number), lambda blow: damage_once(scene, blow)
    else:
        blows, once = BLOWS[attack](scene, log, number), lambda blow: strike_once(scene, blow)
    stage, _, blow = only.partition(":")
    if stage:
        blows = [b for b in blows if stage == scene.name and not blow] \
            + [blow] * (stage == scene.name and blow != "")
    for one in blows:
        scene.rest()
        table.count(scene.name, one, lambda: once(one))
    scene.finish()


def attack_all_stages(suite, attack, number, only, table):
    stages = [stage for stage in STAGES if attack != "damage" or stage in READS]
    for stage in STAGES:
        share = number // len(stages) if stage in stages else 0
        attack_stage(Scene(suite, stage), attack, share, only, table)


def do_attack(attack, number, folder, only=""):
    """How many blows ended in which way; the folder stays if one was a fault."""
    suite = make_suite(folder)
    table = Table(attack)
    if attack == "jobs":
        attack_jobs(suite, number, only, table)
    else:
        attack_all_stages(suite, attack, number, only, table)
    total = table.show()
    if all(total[outcome] == 0 for outcome in BAD):
        shutil.rmtree(folder)
    return total


def result(totals):
    """The last line, for programs."""
    none = collections.Counter()
    killed = totals.get("kills", none) + totals.get("jobs", none)
    damaged = totals.get("damage", none)
    every = sum(totals.values(), collections.Counter())
    failed = totals.get("errors", none) + totals.get("memory", none)
    return (f"result killed={sum(killed.values())} same={killed['recovered'] + killed['harmless']}"
            f" damaged={sum(damaged.values())} detected={damaged['detected']}"
            f" harmless={damaged['harmless']} faults={sum(failed.values())}"
            f" silent={every['wrong'] + every['lost']} hung={every['hung']}"
            f" crashed={every['crashed']}")


def main(attack, points, folder, only=""):
    attacks = ATTACKS if attack == "all" else (attack,)
    totals = {name: do_attack(name, int(points), f"{folder}/{name}", only) for name in attacks}
    print(result(totals))
    return 1 if any(total[outcome] for total in totals.values() for outcome in BAD) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
