"""Does README.md show what the demo prints?

    readme_table.py README.md PRINTED

Both hold the table of the scores, from the line with "added loss" to the next empty line.  The same
autoencoders must be there in the same order, but for the line "..." that stands for others.  On one
kind of CPU the demo has the same bits always, on another kind sums are rounded in another way, and
training takes another path: so a figure may differ by 3 % and by two units of its last digit, and a
percentage by one point, in which no reader would see another result.  Lines that differ more are
printed; the exit status is the verdict.
"""
import sys

SHARE, UNITS, POINTS = 0.03, 2, 1


def table(path):
    """The lines of the table, in words."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    first = [i for i, line in enumerate(lines) if "added loss" in line and "FVU" in line]
    if not first:
        sys.exit(f"there is no table in {path}")
    lines = lines[first[0]:]
    return [line.split() for line in lines[:lines.index("")]]


def near(shown, printed, behind):
    """Are two words the same, or figures that are close enough?  `behind`: the next word."""
    try:
        difference = abs(float(shown) - float(printed))
    except ValueError:
        return shown == printed
    if "." not in shown:
        return shown == printed
    if behind == "%":
        return difference <= POINTS
    unit = 10.0 ** -len(shown.split(".")[1])
    return difference <= SHARE * abs(float(printed)) + UNITS * unit


def main(readme, printed):
    shown, new = table(readme), table(printed)
    shown = [words for words in shown if words != ["..."]]
    wrong = [(a, b) for a, b in zip(shown, new)
             if len(a) != len(b) or not all(map(near, a, b, a[1:] + [""]))]
    for a, b in wrong:
        print(f"{readme} shows  {' '.join(a)}\nthe demo has  {' '.join(b)}")
    same = sum(a == b for a, b in zip(shown, new))
    print(f"{readme}: {same} of {len(new)} lines of the demo's table are as shown, "
          f"{len(wrong)} differ")
    return int(bool(wrong) or len(shown) != len(new))


sys.exit(main(*sys.argv[1:]))
