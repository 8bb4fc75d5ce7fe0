"""mentions.py -- does what comments and documents speak of exist?

 * files and functions, in comments of all kinds and documents: `forward.h`, tests/lib.sh, agree();
 * paths below the folders of the top level, and the links of documents with their headings;
 * the target of every `make TARGET`, and a line at the top of the Makefile for each of its targets;
 * the commands of `bin/saemill COMMAND`.

Names in capitals stand for others: tests/unit/test_X.c, bin/saemill-STAGE.
"""
import ast
import io
import re
import tokenize

from source import (C_FILES, ROOT, code, comments, fault, files, finish, ignored, includes, line_of,
                    read)

TOP = ['pipeline', 'stages', 'jobs', 'slurm', 'tests', '.ci']
SUFFIXES = 'h|c|cc|def|py|sh|md|css|yaml'
FILE = re.compile(rf'(?<![\w./*<>$-])(?:\.?[\w*-]+/)*[\w*-]+\.(?:{SUFFIXES})(?![\w*(]|\.\w)')
FOLDERS = '|'.join(map(re.escape, TOP + ['bin']))
PATH = re.compile(rf'(?<![\w./~$<>-])(?:{FOLDERS})/[\w./*{{}},-]*[\w*/}}]')
FUNCTION = re.compile(r'(?<![\w.])([A-Za-z_]\w*)\(\)')
LINK = re.compile(r'\[[^]\[]*\]\(([^)\s]+)\)')
# `make X Y` in backquotes; at the start of a line, in a document's example or a comment, alone or
# with spaces behind.
MAKE = re.compile(r'`make((?: +[\w./=-]+)*)`|^[ $*#]*make((?: [\w./=-]+)+)(?=$|  )', re.MULTILINE)
COMMAND = re.compile(r'bin/saemill +([a-z]\w*)')

# Files that are the reader's, or others'.
FOREIGN_FILES = {
    'suite.yaml': "the reader's own suite file",
    'encoder.py': "GPT-2's tokenizer as it was published",
    'llm.c': "a program of others",
}


def python_comments(text):
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.FunctionDef)) and ast.get_docstring(node):
            yield node.body[0].lineno, node.body[0].value.value


def hash_comments(text):
    for number, line in enumerate(text.splitlines(), 1):
        found = re.search(r'(?:^|\s)#(?!!)(.*)', line)
        if found:
            yield number, found[1]


def prose(path):
    """What a file says to people: pairs of line and text."""
    text = read(path)
    if path.suffix in C_FILES + ('.css',):
        return comments(text)
    if path.suffix == '.py':
        return list(python_comments(text))
    if path.suffix == '.md':
        return [(1, text)]
    return list(hash_comments(text))


texts = files(TOP, ['.' + suffix for suffix in SUFFIXES.split('|')] + ['']) \
    + [path.relative_to(ROOT) for path in sorted([*ROOT.glob('*.md'), *ROOT.glob('Makefile')])]
everything = files(TOP) + [path.relative_to(ROOT) for path in ROOT.iterdir() if path.is_file()]
base_names = {path.name for path in everything}


def known_functions():
    """What is defined or called somewhere: in C by its code, in scripts by their definitions."""
    known = set()
    for path in files(TOP):
        if path.suffix in C_FILES:
            known.update(re.findall(r'\b([A-Za-z_]\w*)\s*\(', code(read(path))))
            known.update(re.findall(r'\(\s*\*\s*([A-Za-z_]\w*)\s*\)\s*\(', code(read(path))))
        elif path.suffix == '.py':
            known.update(re.findall(r'\bdef (\w+)', read(path)))
        elif path.suffix in ('.sh', ''):
            known.update(re.findall(r'^(\w+)\(\) *\{', read(path), re.MULTILINE))
    return known


def system_headers():
    return {name.split('/')[-1] for path in files(TOP, C_FILES)
            for _, name, foreign in includes(path) if foreign}


def stands_for_others(name):
    """Has it a part in capitals, which is a placeholder?"""
    return re.search(r'(?:^|[^A-Za-z])[A-Z]+(?:[^A-Za-z]|$)', name.removesuffix('.md')) \
        and not (name.endswith('.md') and name.split('/')[-1] in base_names)


def exists(name, beside):
    """A path from the root, from pipeline/, or from the folder of what speaks of it; or only the
    name of a file."""
    if '/' not in name and name in base_names:
        return True
    for folder in ('.', 'pipeline', beside):
        for pattern in expanded(name):
            if not any((ROOT / folder).glob(pattern.rstrip('/'))):
                break
        else:
            return True
    return False


def expanded(name):
    """a{b,c} as a shell has it."""
    found = re.search(r'\{([^{}]*)\}', name)
    if not found:
        return [name]
    return [more for choice in found[1].split(',')
            for more in expanded(name[:found.start()] + choice + name[found.end():])]


def program_exists(name):
    """A program, which is made from its file in stages/."""
    stem = name.removeprefix('bin/').removeprefix('saemill-')
    return (ROOT / 'stages' / f'{stem}.c').is_file()


def file_exists(name, beside, headers):
    if name.startswith('bin/'):
        return name == 'bin/' or program_exists(name)
    return ignored(name.rstrip('/')) or exists(name, beside) \
        or name.endswith('.h') and name.split('/')[-1] in headers


def check_files(path, line, text, headers):
    found = {match.start(): match[0].rstrip('.,') for match in FILE.finditer(text)}
    found.update({match.start(): match[0].rstrip('.,') for match in PATH.finditer(text)})
    for start, name in found.items():
        if not (stands_for_others(name) or name in FOREIGN_FILES
                or file_exists(name, path.parent, headers)):
            fault(path, line + text.count('\n', 0, start), f'there is no {name}',
                  'name what is there now')
    return len(found)


def check_functions(path, line, text, known):
    seen = 0
    for match in FUNCTION.finditer(text):
        seen += 1
        if match[1] not in known and not match[1].startswith('X_'):
            fault(path, line + text.count('\n', 0, match.start()),
                  f'there is no function {match[1]}()', 'name the one that is there now')
    return seen


def anchors(text):
    """The headings of a document as links have them."""
    return {re.sub(r'[^\w -]', '', heading.lower()).strip().replace(' ', '-')
            for heading in re.findall(r'^#+ +(.*)$', text, re.MULTILINE)}


def check_links(path, text):
    seen = 0
    for match in LINK.finditer(text):
        target, _, anchor = match[1].partition('#')
        if re.match(r'\w+:', target):
            continue
        seen += 1
        file = ROOT / path.parent / target if target else ROOT / path
        if not file.exists():
            fault(path, line_of(text, match.start()), f'the link {match[1]} leads nowhere',
                  'a link is relative to the folder of its document')
        elif anchor and anchor not in anchors(file.read_text(encoding='utf-8')):
            fault(path, line_of(text, match.start()),
                  f'{target or path} has no heading for #{anchor}', 'name a heading that is there')
    return seen


def targets():
    """The Makefile's targets that have names, and those explained at its top."""
    text = read('Makefile')
    phony = re.findall(r'^\.PHONY:(.*(?:\\\n.*)*)', text, re.MULTILINE)
    explained = set(re.findall(r'^# make ([a-z][\w.-]*)', text, re.MULTILINE)) | {'all'}
    files_made = {name for name in explained
                  if re.search(rf'^{re.escape(name)}:', text, re.MULTILINE)}
    named = {word for line in phony for word in line.replace('\\\n', ' ').split()}
    return named | files_made, explained


def target_exists(word, phony):
    """A phony target, or a test's: build/tests/unit/test_X[.ok]."""
    made = re.fullmatch(r'build/(tests/.*?)(\.ok)?', word)
    return word in phony or re.fullmatch(r'(bin|lib)/.*', word) \
        or made and any(ROOT.glob(made[1] + '.*'))


def check_make(path, text, line, phony):
    seen = 0
    for match in MAKE.finditer(text):
        for word in (match[1] or match[2] or '').split():
            if '=' in word or word.startswith('-') or stands_for_others(word):
                continue
            seen += 1
            if not target_exists(word, phony):
                fault(path, line + text.count('\n', 0, match.start()), f'make has no target {word}',
                      'see the top of the Makefile')
    return seen


def check_commands(path, text, line, commands):
    for match in COMMAND.finditer(text):
        if match[1] not in commands:
            fault(path, line + text.count('\n', 0, match.start()),
                  f'saemill has no command {match[1]}', 'see bin/saemill --help')


def main():
    known, headers = known_functions(), system_headers()
    phony, explained = targets()
    commands = set(re.findall(r'^ *"  saemill ([a-z]+)', read('stages/saemill.c'), re.MULTILINE))
    counts = {'files': 0, 'functions': 0, 'links': 0, 'targets': 0}
    for path in texts:
        for line, text in prose(path):
            counts['files'] += check_files(path, line, text, headers)
            counts['functions'] += check_functions(path, line, text, known)
            counts['targets'] += check_make(path, text, line, phony)
            check_commands(path, text, line, commands)
        if path.suffix == '.md':
            counts['links'] += check_links(path, read(path))
    for target in sorted(phony ^ explained):
        fault('Makefile', 1, f'{target} is explained at the top or in .PHONY, and not in the other',
              'have it in both')
    finish('mentions', ', '.join(f'{count} {what}' for what, count in counts.items())
           if counts['files'] and counts['functions'] and commands else '')


main()
