"""The prompts of a file of results as JSON Lines; or do two files have the same results?

    prompts_of.py FILE          the prompts, on standard output
    prompts_of.py FILE FILE     fails, and says where, unless all data sets are the same
"""
import json
import sys

import h5py

CLASSES = 'IO', 'S1', 'S1+1', 'S2', 'END'


def lists(file, name, prompt):
    first = file[name + '_first'][prompt:prompt + 2]
    return file[name][first[0]:first[1]].tolist()


def prompts(file):
    for p, length in enumerate(file['length'][:]):
        yield {
            'clean': file['clean'][p, :length].tolist(),
            'corrupted': file['corrupted'][p, :length].tolist(),
            'answers': lists(file, 'answers', p), 'wrong': lists(file, 'wrong', p),
            'template': int(file['template'][p]),
            'classes': dict(zip(CLASSES, file['classes'][p].tolist())),
        }


if len(sys.argv) == 2:
    for prompt in prompts(h5py.File(sys.argv[1])):
        print(json.dumps(prompt))
else:
    one, other = map(h5py.File, sys.argv[1:])
    differ = [name for name in one if one[name][()].tobytes() != other[name][()].tobytes()]
    sys.exit(f'{", ".join(differ)} differ' if differ or set(one) != set(other) else 0)
