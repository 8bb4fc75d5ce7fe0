"""structs.py -- has no struct more than 30 members?

Arrays count one, lists with commas one a name, and the members of a struct within a struct count,
too.  The suite's own struct (pipeline/suite) has a member for each key.
"""
import re

from source import C_FILES, code, fault, files, finish, line_of, read, without_macros

MOST = 30

HEAD = re.compile(r'\b(?:struct|union)\s*(?:__attribute__\s*\(\(.*?\)\)\s*)?(\w*)\s*\{')
INNER = re.compile(r'\{[^{}]*\}')
MACRO = re.compile(r'^\s*[A-Z_0-9]+\s*\(.*\)\s*$', re.DOTALL)


def body(text, start):
    """What stands in the braces whose first is before `start`."""
    depth = 1
    for at in range(start, len(text)):
        depth += (text[at] == '{') - (text[at] == '}')
        if depth == 0:
            return text[start:at]
    return text[start:]


def pieces(text, at):
    """Cut at a separator that stands in no brackets."""
    depth, piece, found = 0, '', []
    for letter in text:
        depth += (letter in '([{') - (letter in ')]}')
        if letter == at and depth == 0:
            found.append(piece)
            piece = ''
        else:
            piece += letter
    return found + [piece]


def members(text):
    """The members that this body of a struct declares; None if a macro hides some."""
    count = 0
    for declaration in pieces(text, ';'):
        if not declaration.strip():
            continue
        if MACRO.match(declaration):
            return None
        inner = HEAD.search(declaration)
        if inner:
            inside = body(declaration, inner.end())
            within = members(inside)
            if within is None:
                return None
            rest = declaration[inner.end() + len(inside) + 1:]
            count += within + (len(pieces(rest, ',')) if rest.strip() else 0)
        else:
            count += len(pieces(INNER.sub('', declaration), ','))
    return count


def main():
    seen = 0
    for path in files(['pipeline', 'stages', 'tests'], C_FILES):
        if str(path).startswith('pipeline/suite/'):
            continue
        text = without_macros(code(read(path)))
        for head in HEAD.finditer(text):
            seen += 1
            name, line = head[1] or '(without a name)', line_of(text, head.start())
            count = members(body(text, head.end()))
            if count is None:
                fault(path, line, f'a macro declares members of struct {name}', 'write them out')
            elif count > MOST:
                fault(path, line, f'struct {name} has {count} members, {MOST} at most',
                      'make structs of what belongs together, each with an owner')
    finish('structs', f'{seen} structs' if seen else '')


if __name__ == '__main__':
    main()
