"""keys.py -- is each key of a suite file declared once?

The table in pipeline/suite is where a key is declared; structs and texts are made from it.  This
looks for second declarations, of the section `train`, the longest one, whose constants go the
furthest (into trainings, checkpoints, reports):

 * a struct, anywhere, that writes out members with the names of several keys;
 * a file outside pipeline/suite whose strings name several keys: a list kept by hand.
"""
import re

from source import C_FILES, TOKEN, code, fault, files, finish, line_of, read
from structs import HEAD, body

MEMBERS = 4     # a struct of a kernel may well have three: beta1, beta2 and epsilon
STRINGS = 6     # a warning may name those by which one answers it


def keys():
    """The keys of `train`, by the file that shows them all."""
    section = re.search(r'^train:.*\n((?:(?: .*)?\n)+)', read('jobs/explained.yaml'), re.MULTILINE)
    return re.findall(r'^  (\w+):', section[1], re.MULTILINE) if section else []


def check_structs(path, text, names):
    for head in HEAD.finditer(text):
        members = set(re.findall(r'(\w+)\s*(?:\[[^]]*\]\s*)*[,;]', body(text, head.end())))
        if len(members & names) >= MEMBERS:
            fault(path, line_of(text, head.start()), f'struct {head[1]} declares the keys '
                  + ', '.join(sorted(members & names)) + ' once more',
                  "take the members that the table makes, or the suite's struct itself")


def check_strings(path, text, names):
    """`names` here are no words of English, which a message has by chance."""
    found = {}
    for match in TOKEN.finditer(text):
        if match['text']:
            for word in re.findall(r'\w+', match[0]):
                if word in names:
                    found.setdefault(word, match.start())
    if len(found) >= STRINGS:
        fault(path, line_of(text, min(found.values())),
              f'names the keys {", ".join(sorted(found))} in a list kept by hand',
              'go over the rows of the table')


def main():
    names = keys()
    for path in files(['pipeline', 'stages'], C_FILES):
        text = read(path)
        check_structs(path, code(text), set(names))
        if not str(path).startswith('pipeline/suite/'):
            check_strings(path, text, {name for name in names if re.search(r'[_\d]|auxk', name)})
    finish('keys', f'{len(names)} keys of train' if len(names) > 20 else '')


main()
