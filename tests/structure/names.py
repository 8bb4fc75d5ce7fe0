"""names.py -- can a reader tell from a name where it is from?

 * No two files have one name, wherever they are.  X.c and X.h count as one, in one folder;
   README.md and the data of tests/golden may repeat.
 * An external function begins with its file's name, the name of the header that declares it, or
   its folder's name, and so does external data, in capitals or not.  A stage has only main().

Needs a build: what is external is asked from the objects (second argument: the build's folder).
"""
import re
import subprocess
import sys

from source import C_FILES, ROOT, code, fault, files, finish, line_of, outside_braces, read

BUILD = sys.argv[2] if len(sys.argv) > 2 else 'build'

# External names that are chosen elsewhere, and where.
ELSEWHERE = {
    'H5PLget_plugin_type': 'HDF5 asks a plug-in for it',
    'H5PLget_plugin_info': 'HDF5 asks a plug-in for it',
    'BATCH_TOPK': 'a row of pipeline/suite/architectures.def; topk.c has three of them',
    'MATRYOSHKA': 'a row of pipeline/suite/architectures.def; topk.c has three of them',
}


def check_files():
    first = {}
    for path in files(['pipeline', 'stages', 'tests']):
        if path.name == 'README.md' or path.parts[:2] == ('tests', 'golden'):
            continue
        # As C files of one name make one object's name, they are one file here.
        key = path.stem + '.c' if path.suffix in C_FILES else path.name
        other = first.setdefault(key, path)
        if other != path and not (path.suffix in C_FILES and other.parent == path.parent):
            fault(path, 1, f'there is {other}, too', 'give one a name that says what it alone is')
    return len(first)


def declared():
    """Which headers name a thing outside all braces: names to headers."""
    found = {}
    for path in files(['pipeline'], ['.h']):
        for name in set(re.findall(r'\b[A-Za-z_]\w*', outside_braces(code(read(path))))):
            found.setdefault(name, []).append(path)
    return found


def symbols(archive):
    """What an object or archive defines for others: pairs of object and name.  Weak symbols are
    C++'s and the compiler's own; what follows a dot tells the clones of one function apart."""
    nm = subprocess.run(['nm', '-A', '-g', '--defined-only', ROOT / BUILD / archive], check=True,
                        capture_output=True, text=True)
    for line in nm.stdout.splitlines():
        place, kind, name = line.rsplit(maxsplit=2)
        if kind not in 'VWuvw':
            yield re.search(r'([^:/]+)\.o(?::|$)', place.rsplit(':', 1)[0])[1], name.split('.')[0]


def begins(name, word):
    """Does it begin with this word, in singular or plural, and not only with its letters?"""
    return re.match(rf'{word.removesuffix("s")}s?([_\d]|$)', name.lower())


def line_in(path, name):
    """Where a C file defines a name, or the first line."""
    text = outside_braces(code(read(path)))
    found = re.search(rf'\b{name}\b', text)
    return line_of(text, found.start()) if found else 1


def check_symbols():
    where = {path.stem: path for path in files(['pipeline'], ('.c', '.cc', '.css'))}
    headers = declared()
    seen = set(symbols('library.a'))
    for stem, name in sorted(seen):
        if name in ELSEWHERE or name.startswith('_binary_'):      # ld's, for a text that is linked in
            continue
        path = where[stem]
        words = [stem, path.parent.name] + [header.stem for header in headers.get(name, [])]
        if not any(begins(name, word) for word in words):
            fault(path, line_in(path, name), f'{name} is external, and does not begin with '
                  + ' or '.join(word + '_' for word in dict.fromkeys(words)),
                  'rename it, or make it static')
    for path in files(['stages'], ['.c']):
        for stem, name in symbols(path.with_suffix('.o')):
            seen.add((stem, name))
            if name != 'main':
                fault(path, line_in(path, name), f'{name} is external, in a stage',
                      'make it static')
    return len(seen)


names, external = check_files(), check_symbols()
finish('names', f'{names} files, {external} external names' if names and external else '')
