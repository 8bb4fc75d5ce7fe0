"""format.py -- does the tree's C obey .clang-format?

 * Spaces, indentation, braces and the order of includes are clang-format's.
 * Where a line is broken, and what is aligned within lines (names of members, comments behind them,
   tables), is the author's.  A line has at most 100 columns.
 * Macros and the words of pragmas are the author's.  An OpenMP pragma is indented as the statement
   that it is for.  `{0}` and `{{` are written so.

`format.py ROOT --write` makes it so; lines that are too long are only named.
"""
import difflib
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from source import ROOT, fault, files, finish, read

VERSION = 14        # others break and indent a little differently
COLUMNS = 100
LONG_TEXT = re.compile(r'https?://')        # what cannot be broken


def program():
    """clang-format of the right version, or None."""
    for name in (f'clang-format-{VERSION}', 'clang-format'):
        if shutil.which(name):
            said = subprocess.run([name, '--version'], capture_output=True, text=True).stdout
            if f'version {VERSION}.' in said:
                return name
    return None


def indentation(line):
    return len(line) - len(line.lstrip(' '))


def indent_pragmas(lines):
    """clang-format puts them into the first column."""
    below = 0
    for at in reversed(range(len(lines))):
        if lines[at].lstrip().startswith('#pragma omp'):
            lines[at] = ' ' * below + lines[at].lstrip()
        elif lines[at].strip():
            below = indentation(lines[at])
    return lines


def joined(lines):
    """As one line, where any spaces and a line's end are one space, or none beside brackets.  {0}
    has none, nor have pragmas, nor pointers to arrays and to structs without a name, of which
    clang-format 14 takes the star for a product."""
    if lines[0].lstrip().startswith('#pragma'):
        return ''.join(''.join(lines).split())
    text = re.sub(r'\s+', ' ', ' '.join(line.strip().removesuffix('\\') for line in lines))
    text = re.sub(r'([(\[]) ', r'\1', re.sub(r' ([)\]])', r'\1', text))
    text = text.replace('{ {', '{{').replace('} }', '}}').replace('{ 0 }', '{0}')
    return text.replace('} * ', '} *').replace(' (*', '(*')


def stands_alone(line):
    return line.strip() in ('{', '}')


def may_be_indented(line):
    """May the author say where this line begins?  Yes, if it continues an expression or a text."""
    return re.match(r' *(?:[?:+*/|&<>="(;-]|$)', line)


def is_authors(old, new):
    """May these lines stand, where clang-format would write others?  Yes, if they only break or
    align differently; but where a brace stands alone, and how a statement is indented, is not the
    author's."""
    return bool(old and new) and joined(old) == joined(new) \
        and sum(map(stands_alone, old)) == sum(map(stands_alone, new)) \
        and (indentation(old[0]) == indentation(new[0]) or may_be_indented(old[0]))


def in_macro(lines, a, b):
    """Are these lines parts of macros' definitions?"""
    def is_part(at):
        while at > 0 and lines[at - 1].endswith('\\'):
            at -= 1
        return re.match(r' *# *(define|undef)', lines[at])

    return b > a and all(map(is_part, range(a, b)))


def chosen(old, new):
    """What is to stand in place of some lines."""
    if not is_authors(old, new):
        return new
    if max(map(len, old)) <= COLUMNS:
        return old
    if len(old) != len(new) or any(joined([a]) != joined([b]) for a, b in zip(old, new)):
        return new
    return [a if len(a) <= COLUMNS else b for a, b in zip(old, new)]


def formatted(path, clang_format):
    """The file's lines as they are, and as they should be."""
    done = subprocess.run([clang_format, path], cwd=ROOT, check=True, capture_output=True,
                          text=True)
    old, new = read(path).splitlines(), indent_pragmas(done.stdout.splitlines())
    result = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        keep = kind == 'equal' or in_macro(old, a, b)
        result += old[a:b] if keep else chosen(old[a:b], new[c:d])
    return old, result


def main():
    clang_format = program()
    write = '--write' in sys.argv
    if clang_format is None:
        print(f'format: not checked, there is no clang-format {VERSION} here')
        return
    paths = files(['pipeline', 'stages', 'tests'], ['.c', '.h', '.cc'])
    with ThreadPoolExecutor() as threads:
        results = list(threads.map(lambda path: formatted(path, clang_format), paths))
    changed = 0
    for path, (old, new) in zip(paths, results):
        differences = difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
        for kind, a, b, c, d in differences:
            if kind != 'equal':
                changed += max(b - a, d - c)
                if not write:
                    wanted = ' / '.join(new[c:d][:2]) or 'nothing'
                    fault(path, a + 1, f'clang-format writes {wanted}', 'make format')
        if write and old != new:
            (ROOT / path).write_text('\n'.join(new) + '\n', encoding='utf-8')
        for number, line in enumerate(new, 1):
            if len(line) > COLUMNS and not LONG_TEXT.search(line):
                fault(path, number, f'{len(line)} columns, {COLUMNS} at most', 'break the line')
    finish('format', f'{len(paths)} files, {changed} lines to change' if paths else '')


if __name__ == '__main__':
    main()
