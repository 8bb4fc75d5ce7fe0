"""seen_failing.py -- does each check beside this find what it is there to find?

A small tree that is in order is laid into a folder of its own; every check must pass it.  Then one
fault at a time is put into it, and the check must name its file and line.
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
KEYS = [f'key_{number}' for number in range(25)]

SOUND = {
    '.gitignore': '/build/\n',
    'Makefile': '# make          all\n# make check    tests\n.PHONY: all check\n',
    'README.md': '# A tree\n\nSee [the room](pipeline/base/low.h) and [below](#two-words), '
                 '`low_sum()`,\n`make check`, and `bin/saemill run suite.yaml`.\n\n## Two words\n',
    'CONTRIBUTING.md': 'From the ground up:\n\n    base  kernels  suite  sae  step\n',
    'jobs/explained.yaml': 'train:\n' + ''.join(f'  {key}: 1\n' for key in KEYS),
    'pipeline/base/low.h': 'int low_sum(int x);\n',
    'pipeline/base/low.c': '#include "base/low.h"\n\nint low_sum(int x)\n{\n    return x;\n}\n',
    'pipeline/kernels/plain.c': 'void plain_go(void);\n',
    'pipeline/sae/finished.h': '#include "base/low.h"\n'
                               'struct finished {\n    int   a;    /* one */\n    float b;\n};\n',
    'pipeline/step/moving.h': '#include "sae/finished.h"\n',
    'pipeline/suite/table.h': 'struct table {\n    int x;\n};\n',
    'stages/saemill.c': '/* See low.c and low_sum(). */\n#include "step/moving.h"\n'
                        'static const char help[] =\n    "  saemill run SUITE\\n";\n'
                        'int main(void)\n{\n    return help[0];\n}\n',
    'tests/unit/test_low.c': 'int main(void)\n{\n    return 0;\n}\n',
}

# Check, what it must say, and the files of the fault.
FAULTS = [
    ('layers', 'pipeline/base/low.h:1: points upwards',
     {'pipeline/base/low.h': '#include "step/moving.h"\n'}),
    ('layers', 'pipeline/attic/old.c:1: the room attic has no place',
     {'pipeline/attic/old.c': '\n'}),
    ('layers', 'CONTRIBUTING.md:1: does not name the rooms',
     {'CONTRIBUTING.md': 'From the ground up: kernels base suite sae step\n'}),
    ('layers', 'stages/other.c:1: includes the stage',
     {'stages/other.c': '#include "stages/saemill.c"\n'}),
    ('layers', 'pipeline/base/low.h:1: is part of a circle',
     {'pipeline/base/low.h': '#include "base/two.h"\n',
      'pipeline/base/two.h': '',
      'pipeline/base/two.c': '#include "base/three.h"\n',
      'pipeline/base/three.h': '#include "base/low.h"\n'}),
    ('layers', 'pipeline/kernels/plain.c:1: sees <mpi.h>',
     {'pipeline/kernels/plain.c': '#include "base/low.h"\n',
      'pipeline/base/low.h': '#include <mpi.h>\n'}),
    ('layers', 'pipeline/release/page.c:2: sees how one trains',
     {'pipeline/release/page.c': '\n#include "evaluate/way.h"\n',
      'pipeline/evaluate/way.h': '#include "step/moving.h"\n'}),
    ('layers', 'pipeline/base/low.c:1: there is no file base/lost.h',
     {'pipeline/base/low.c': '#include "base/lost.h"\n'}),
    ('structs', 'pipeline/step/moving.h:2: struct heap has 31 members',
     {'pipeline/step/moving.h': '\nstruct heap { int a[2], b, *c; /* d; e; */\n'
                                'struct { int f; double g[3][4], h; } i;\n'
                                'int ' + ', '.join(f'm{n}' for n in range(24)) + '; };\n'}),
    ('structs', 'pipeline/step/moving.h:1: a macro declares members',
     {'pipeline/step/moving.h': 'struct heap {\nint a;\nMEMBERS(int);\n};\n'}),
    ('names', 'tests/unit/low.c:1: there is pipeline/base/low.c',
     {'tests/unit/low.c': '\n'}),
    ('names', 'tests/unit/run.sh:1: there is tests/faults/run.sh',
     {'tests/unit/run.sh': '', 'tests/faults/run.sh': ''}),
    ('names', 'pipeline/base/low.c:2: lower is external',
     {'pipeline/base/low.c': '\nint lower(void) { return 0; }\n'}),
    ('names', 'pipeline/base/low.c:1: COUNT is external',
     {'pipeline/base/low.c': 'int COUNT = 3;\n'}),
    ('names', 'stages/saemill.c:1: helper is external',
     {'stages/saemill.c': 'void helper(void) {}\nint main(void) { return 0; }\n'}),
    ('keys', 'pipeline/step/moving.h:2: struct recipe declares the keys',
     {'pipeline/step/moving.h': '\nstruct recipe { int key_1; double key_2, key_3[4];\n'
                                'char *key_4; };\n'}),
    ('keys', 'pipeline/step/moving.h:1: names the keys',
     {'pipeline/step/moving.h': 'static const char text[] = "key_1 key_2 key_3 key_4 key_5 "\n'
                                '    "key_6";\n'}),
    ('mentions', 'pipeline/base/low.h:2: there is no lost.h',
     {'pipeline/base/low.h': '/* See\n * lost.h. */\n'}),
    ('mentions', 'pipeline/base/low.h:1: there is no function lost()',
     {'pipeline/base/low.h': '/* See lost(). */\n'}),
    ('mentions', 'tests/lib.sh:2: there is no function lost()',
     {'tests/lib.sh': '\necho 1   # as lost() does\n'}),
    ('mentions', 'tests/see.py:2: there is no lost.py',
     {'tests/see.py': '"""See\nlost.py"""\n'}),
    ('mentions', 'README.md:1: the link low.h leads nowhere',
     {'README.md': 'In [low](low.h).\n'}),
    ('mentions', 'README.md:1: README.md has no heading for #gone',
     {'README.md': 'In [low](#gone).\n'}),
    ('mentions', 'README.md:2: make has no target chekc',
     {'README.md': '\nRun `make chekc`.\n'}),
    ('mentions', 'README.md:2: there is no tests/units/',
     {'README.md': '\nSee `tests/units/`.\n'}),
    ('mentions', 'README.md:1: there is no bin/saemill-lost',
     {'README.md': 'Run bin/saemill-lost.\n'}),
    ('mentions', 'README.md:1: saemill has no command rum',
     {'README.md': 'Run `bin/saemill rum`.\n'}),
    ('format', 'pipeline/base/low.c:1: clang-format writes int low(int x);',
     {'pipeline/base/low.c': 'int  low (int x);\n'}),
    ('format', 'pipeline/base/low.c:3: clang-format writes     return 0;',
     {'pipeline/base/low.c': 'int low(void)\n{\n  return 0;\n}\n'}),
    ('format', 'pipeline/base/low.c:1: clang-format writes int low(void) / {',
     {'pipeline/base/low.c': 'int low(void) {\n    return 0;\n}\n'}),
    ('format', 'pipeline/base/low.c:1: 110 columns',
     {'pipeline/base/low.c': '/* ' + 104 * 'x' + ' */\n'}),
    ('mentions', 'Makefile:1: clean is explained',
     {'Makefile': '# make check  x\n.PHONY: all check clean\n'}),
]


def lay(root, tree):
    for name, text in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def build(root):
    """What `make` leaves for names.py: the library, and the objects of the stages."""
    compiler = os.environ.get('CC', 'gcc')
    objects = []
    for source in sorted([*root.glob('pipeline/*/*.c'), *root.glob('stages/*.c')]):
        target = root / 'build' / source.relative_to(root).with_suffix('.o')
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, '-c', '-I', root / 'pipeline', '-o', target, source], check=True)
        if source.parent.name != 'stages':
            objects.append(target)
    subprocess.run(['ar', 'rcs', root / 'build/library.a', *objects], check=True)


def run(check, tree):
    """What a check says of a tree, and its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        lay(Path(folder), tree)
        if check == 'names':
            build(Path(folder))
        done = subprocess.run([sys.executable, '-B', HERE / f'{check}.py', folder],
                              capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


SOUND['.clang-format'] = (HERE / '../../.clang-format').read_text()
if run('format', SOUND)[1].startswith('format: not checked'):
    FAULTS = [fault for fault in FAULTS if fault[0] != 'format']
missed = 0
for check in sorted({check for check, _, _ in FAULTS}):
    status, said = run(check, SOUND)
    if status != 0:
        missed += 1
        print(f'{check}.py finds faults in a tree that has none:\n{said}')
for check, wanted, tree in FAULTS:
    status, said = run(check, SOUND | tree)
    if status != 1 or wanted not in said:
        missed += 1
        print(f'{check}.py must say "{wanted}", and says (exit status {status}):\n{said}')
print(f'seen failing: {len(FAULTS)} faults, {missed} missed')
sys.exit(1 if missed else 0)
