"""Do the pages of circuits show what the other files hold?

    circuit_pages.py FOLDER...

Each NAME.html in a folder must be well-formed, its drawings XML, without scripts and foreign
addresses.  It must have each edge of NAME.json with its number, or each head with its direct effect,
or the change of it.  What is wrong is printed; the exit status is the verdict.
"""
import glob
import html.parser
import json
import re
import sys
import xml.etree.ElementTree

import h5py

VOID = {"meta", "br", "link", "img", "hr", "input"}
FOREIGN = re.compile(r"<script|<link|<img|<iframe|\bsrc=|https?:|//|\bon\w+=|url\(|@import", re.I)


class Page(html.parser.HTMLParser):
    """Refuses an element that is not closed, or closed elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.open = []
        self.links = []
        self.feed(text)
        self.close()
        assert not self.open, f"{self.open} never end"

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name == "href"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another element"


def titles(svg):
    """What a drawing says of its parts, {name: number}."""
    drawing = xml.etree.ElementTree.fromstring(svg)
    lines = [line for title in drawing.iter("title") for line in title.text.split("\n")]
    return {name: float(number) for name, number in
            (line.rsplit(": ", 1) for line in lines if ": " in line and "not known" not in line)}


def growths(path):
    """By how much the metric grew without each edge that was kept, by the steps of the search."""
    with h5py.File(path) as file:
        layers, heads, shared = (int(file.attrs[name]) for name in ("layers", "heads", "kv_heads"))
        group = heads // shared
        senders, receivers = ["embed"], []
        for l in range(layers):
            senders += [f"a{l}.{h}" for h in range(heads)] + [f"m{l}"]
            receivers += [f"a{l}.{h}.q" for h in range(heads)]
            receivers += [f"a{l}.{h * group}.{part}" for part in "kv" for h in range(shared)]
            receivers += [f"m{l}"]
        receivers += ["final"]
        now, found = float(file.attrs["start"]), {}
        for u, v, removed, value in zip(*(file["step_" + name][:] for name in
                                          ("sender", "receiver", "removed", "value"))):
            name = f"{senders[u]}->{receivers[v]}" if u >= 0 else f"direct {receivers[v]}"
            if removed:
                now = value
            else:
                found[name] = value - now
        return found


def wanted(path):
    """The numbers that a page must show, {name: number}."""
    summary = json.load(open(path + ".json"))
    if "strongest" in summary:
        return {item["edge"]: item["score"] for item in summary["strongest"]}
    if "edges" in summary:
        growth = growths(path + ".h5")
        return {name: growth[name] for name in summary["edges"]}
    if "self_repair" in summary:
        with h5py.File(path + ".h5") as file:
            changes = file["sums"][:, 3:].mean(axis=0)
        return {item["head"]: change for item, change in zip(summary["heads"], changes)
                if not item["ablated"]}
    return {item["head"]: item["direct_head"] for item in summary["heads"]}


def check(path):
    text = open(path + ".html", encoding="utf-8").read()
    links = Page(text).links
    assert links == [path.rsplit("/", 1)[1] + ".json"], f"leads to {links}"
    body = text[:text.index("<pre>")]       # what follows is the task's file
    assert not FOREIGN.search(body), FOREIGN.search(body)
    drawings = re.findall(r"<svg.*?</svg>", text, re.S)
    shown = titles(drawings[0])
    for svg in drawings[1:]:
        titles(svg)
    numbers = {name.replace("->", " → "): value for name, value in wanted(path).items()}
    assert numbers, "nothing to show"
    missing = numbers.keys() - shown.keys()
    assert not missing and len(shown) == len(numbers), (missing, shown.keys() - numbers.keys())
    for name, value in numbers.items():
        assert abs(shown[name] - value) <= 6e-4 * abs(value), (name, shown[name], value)
    print(f"{path}: {len(drawings)} drawings, {len(numbers)} numbers")


if __name__ == "__main__":
    pages = [page[:-len(".html")] for folder in sys.argv[1:]
             for page in sorted(glob.glob(folder + "/*.html"))]
    assert pages, "no pages"
    for page in pages:
        check(page)
