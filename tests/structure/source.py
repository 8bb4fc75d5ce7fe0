"""source.py -- what the checks beside it share: the tree's files, C without its comments, reports.

Each check is a script that takes the tree's root (by default the folder it is started in), prints a
line FILE:LINE: WHAT; REMEDY for each fault, and exits with 1 if there was one.  It needs no build,
unless it says so.
"""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else '.')
C_FILES = ('.c', '.h', '.cc', '.def')

# A comment, a string, a character, or one letter of anything else.
TOKEN = re.compile(r'(?P<comment>/\*.*?\*/|//[^\n]*)'
                   r'|(?P<text>"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')|.', re.DOTALL)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

faults = 0


def fault(path, line, what, remedy):
    """Print a fault; the check goes on."""
    global faults
    faults += 1
    print(f'{path}:{line}: {what}; {remedy}')


def finish(name, seen):
    """End the check.  That it saw nothing is a fault of the check."""
    if not seen:
        fault(name, 0, 'this check saw nothing to check', 'see what it looks for')
    print(f'{name}: {seen}, {faults} faults' if faults else f'{name}: {seen}')
    sys.exit(1 if faults else 0)


def ignored(path):
    """Is this what a build or a run makes, by .gitignore's folders?"""
    folders = [line.strip('/') for line in read('.gitignore').splitlines() if line.endswith('/')]
    return any(str(path) == folder or str(path).startswith(folder + '/') for folder in folders)


def read(path):
    return (ROOT / path).read_text(encoding='utf-8')


def files(folders, suffixes=None):
    """The files below these folders, as paths from the root, in order."""
    found = (path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob('*'))
    return sorted(path for path in found
                  if (ROOT / path).is_file() and '__pycache__' not in path.parts
                  and (suffixes is None or path.suffix in suffixes) and not ignored(path))


def blank(text):
    """As long as `text`, with its line ends and nothing else."""
    return re.sub(r'[^\n]', ' ', text)


def code(text):
    """C without its comments and the insides of its strings; all else stays where it was."""
    def keep(match):
        if match['comment']:
            return blank(match['comment'])
        if match['text']:
            return match['text'][0] + blank(match['text'][1:-1]) + match['text'][-1]
        return match[0]

    return TOKEN.sub(keep, text)


def comments(text):
    """The comments of C: pairs of their line and text."""
    return [(line_of(text, match.start()), match[0])
            for match in TOKEN.finditer(text) if match['comment']]


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def includes(path):
    """What a C file includes: triples of line, name, and whether it is one of the system's."""
    text = read(path)
    return [(line_of(text, match.start()), match[2], match[1] == '<')
            for match in INCLUDE.finditer(text)]


def without_macros(text):
    """C code without the lines of the preprocessor."""
    return re.sub(r'^[ \t]*#(?:[^\n]*\\\n)*[^\n]*', lambda match: blank(match[0]), text,
                  flags=re.MULTILINE)


def outside_braces(text):
    """C code at file level, without macros and what stands in braces."""
    text = without_macros(text)
    depth, out = 0, []
    for letter in text:
        depth -= letter == '}'
        out.append(letter if depth <= 0 or letter == '\n' else ' ')
        depth += letter == '{'
    return ''.join(out)
