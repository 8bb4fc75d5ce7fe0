"""Do the pages of circuits and interventions show what the other files hold?

    circuit_pages.py FOLDER...

Each NAME.html in a folder must be well-formed, its drawings XML, without scripts and foreign
addresses.  It must have what the other files say: edges or heads with their numbers in its first
drawings, or rows of a table.  What is wrong is printed; the exit status is the verdict.
"""
import decimal
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
        self.rows = []          # of tables, lists of texts
        self.feed(text)
        self.close()
        assert not self.open, f"{self.open} never end"

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name == "href"]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append("")

    def handle_data(self, text):
        if "td" in self.open:
            self.rows[-1][-1] += text

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


def gates(path):
    """log alpha of the gates: of queries, keys and values {head: number}, of MLPs a list."""
    with h5py.File(path) as file:
        layers, heads, shared = (int(file.attrs[name]) for name in ("layers", "heads", "kv_heads"))
        values = file["log_alpha"][:].reshape(layers, -1)
    firsts = [(0, 1), (heads, heads // shared), (heads + shared, heads // shared)]
    return [{f"{l}.{h}": values[l, first + h // group] for l in range(layers)
             for h in range(heads)} for first, group in firsts], values[:, heads + 2 * shared:]


def sources(path, summary):
    """What all heads add from each token, {position: number} for each prompt shown."""
    with h5py.File(path) as file:
        tokens, parts = file["clean"].shape[1], file["part"][:]
    parts = parts.reshape(len(parts), len(summary["latents"]), -1, tokens).sum(axis=2)
    return [dict(enumerate(parts[item["prompt"], t, :item["position"] + 1]))
            for t, latent in enumerate(summary["latents"]) for item in latent["strongest"][:3]]


def drawn(path, summary):
    """The numbers that each of the first drawings must show, {name: number}."""
    if "points" in summary:
        asks = "questions" in summary["points"][0]
        names = (("questions", "questions"), ("controls", "controls")) if asks else (
            ("to be forgotten", "forget"), ("retained", "retain"))
        return [{f"{point['task']}, {name}": min(point[member], 1) if member == "forget"
                 else point[member] for point in summary["points"]
                 for name, member in (names[0], other)}
                for other in (names[1], ("loss added", "loss_added"))]
    if "open" in summary:
        return gates(path + ".h5")[0]
    if "latents" in summary:
        return [{head["head"]: head[number] for head in latent["heads"]}
                for latent in summary["latents"] for number in ("part", "share")]
    if "edges" in summary:
        growth = growths(path + ".h5")
        return [{name: growth[name] for name in summary["edges"]}]
    if "strongest" in summary and "sites" not in summary:
        return [{item["edge"]: item["score"] for item in summary["strongest"]}]
    if "self_repair" in summary:
        with h5py.File(path + ".h5") as file:
            changes = file["sums"][:, 3:].mean(axis=0)
        return [{item["head"]: change for item, change in zip(summary["heads"], changes)
                 if not item["ablated"]}]
    if "sets" in summary:
        with h5py.File(path + ".h5") as file:
            heads, single = int(file.attrs["heads"]), file["single"][:]
        maps = [{f"{h // heads}.{h % heads}": x for h, x in enumerate(column)} for column in single.T]
        return [numbers for numbers in maps if all(x == x for x in numbers.values())]
    if "classes" in summary:
        return [{item["head"]: mean(item["scores"][kind]) for item in summary["heads"]}
                for kind in READ]
    if "heads" in summary and "direct_head" in summary["heads"][0]:
        return [{item["head"]: item["direct_head"] for item in summary["heads"]}]
    return []


LATENT = ["latent", "forget", "retain", "attribution"]
READ = {"mlp": "MLP 0 of its embedding", "embedding": "its embedding", "both": "their sum"}


def mean(scores):
    known = [score for score in scores.values() if score is not None]
    return sum(known) / len(known)


def tabulated(path, summary):
    """Rows that tables must have: texts and numbers."""
    if "points" in summary:
        members = ["threshold", "latents", "strength", "questions", "controls", "forget", "retain",
                   "loss_added"]
        rows = [([], [point[member] for member in members if member in point])
                for point in summary["points"]]
        for name in glob.glob(glob.escape(path) + "-*.json"):
            task = json.load(open(name))
            rows += [([], [task["threshold"]] + [latent[member] for member in LATENT
                                                 if member in latent])
                     for latent in task.get("latents", [])[:30]]
        return rows
    if "open" in summary:
        opened = [len([name for name in summary["open"] if name.startswith(f"a{l}.")
                       and name.endswith(part)]) for l in range(99) for part in ".q .k .v".split()]
        return [([str(l)] + [str(count) for count in opened[3 * l:3 * l + 3]]
                 + ["open" if f"m{l}" in summary["open"] else "closed"], list(mlp))
                for l, mlp in enumerate(gates(path + ".h5")[1])]
    if "latents" in summary:
        heads = [([item["head"]], [item["mean_share"], item["largest_in"],
                                   item["more_than_half_in"], item["directions"]])
                 for site in summary["autoencoders"] for item in site["heads"]]
        return heads + [([str(item["prompt"]), str(part["position"])],
                         [..., part["latent"], part["part"]])
                        for latent in summary["latents"] for item in latent["strongest"][:3]
                        for part in item.get("below", {}).get("strongest", [])[:5]]
    if "sites" in summary:
        return [([item["autoencoder"], str(item["latent"])], [item["score"], item["effect"]])
                for item in summary["sample"]["nodes"][:30]]
    if "sets" in summary:
        sets = [([item["set"]], [item["nodes"], item["circuit_without"], item["whole_without"],
                                 abs(item["circuit_without"] - item["whole_without"])])
                for item in summary["sets"]]
        return [([item["head"], item["class"]], [item["single"], item["minimality"]])
                for item in summary["nodes"]] + sorted(sets, key=lambda row: -row[1][3])[:20]
    if "classes" in summary:
        names = [item["class"] for item in summary["classes"]]
        readers = [([item["head"], READ[kind]], [mean(scores)] + [scores[name] for name in names])
                   for item in summary["heads"] for kind, scores in item["scores"].items()]
        return sorted(readers, key=lambda row: -row[1][0])[:12]
    if "heads" in summary and "ov_lowest" in summary["heads"][0]:
        heads = sorted(summary["heads"], key=lambda head: -head["kl_ablated"])[:10]
        return [([item["head"]], [item["kl_ablated"]] + [score["cspa"] for score in item["scores"]]
                 + [score["qk_only"] for score in item["scores"]]
                 + [item["ov_only"], item["ov_lowest"], item["qk_largest"]]) for item in heads]
    return []


def same(text, number):
    """Is the text the number, rounded?  Any text is `...`."""
    if number is ...:
        return True
    if text == "–" or number is None:
        return text == "–" and number is None
    digits = 10.0 ** decimal.Decimal(text).as_tuple().exponent
    return abs(float(text) - number) <= (6e-4 if text == "0" else 0.51 * digits)


def areas(curves):
    """The areas below all curves."""
    for name, item in curves.items():
        yield from areas(item) if isinstance(item, dict) else [item] if name == "area" else []


def check_drawing(svg, wanted):
    shown = titles(svg)
    wanted = {name.replace("->", " → "): value for name, value in wanted.items()}
    missing = wanted.keys() - shown.keys()
    assert not missing and len(shown) == len(wanted), (missing, shown.keys() - wanted.keys())
    for name, value in wanted.items():
        assert abs(shown[name] - value) <= 6e-4 * abs(value), (name, shown[name], value)


def check(path):
    text = open(path + ".html", encoding="utf-8").read()
    page, summary = Page(text), json.load(open(path + ".json"))
    assert page.links == [path.rsplit("/", 1)[1] + ".json"], f"leads to {page.links}"
    body = text[:text.index("<pre>")]       # what follows is the task's file
    assert not FOREIGN.search(body), FOREIGN.search(body)
    drawings, wanted = re.findall(r"<svg.*?</svg>", text, re.S), drawn(path, summary)
    for svg in drawings[len(wanted):]:
        titles(svg)
    for svg, numbers in zip(drawings, wanted):
        check_drawing(svg, numbers)
    shaded = [{int(at): float(part) for at, part in re.findall(r'title="(\d+): ([^"]+)"', line)}
              for line in re.findall(r'<p class="tokens">.*?</p>', text, re.S)]
    wanted_parts = sources(path + ".h5", summary) if "latents" in summary else []
    assert len(shaded) == len(wanted_parts) and all(
        line.keys() == parts.keys() and all(abs(line[s] - parts[s]) <= 6e-4 * abs(parts[s])
                                            for s in parts)
        for line, parts in zip(shaded, wanted_parts)), (shaded, wanted_parts)
    curves = list(areas(summary.get("roc", {})))
    assert sorted(re.findall(r": area ([\d.]+)</", text)) == sorted(f"{area:.3f}" for area in curves)
    rows = tabulated(path, summary)
    for texts, numbers in rows:
        found = [row[len(texts):] for row in page.rows if row[:len(texts)] == texts]
        assert any(all(map(same, row, numbers)) for row in found if len(row) >= len(numbers)), \
            (texts, numbers, found)
    assert len(drawings) >= len(wanted) and wanted + rows + curves, "nothing to show"
    print(f"{path}: {len(drawings)} drawings, {len(page.rows)} rows")


if __name__ == "__main__":
    pages = [page[:-len(".html")] for folder in sys.argv[1:]
             for page in sorted(glob.glob(folder + "/*.html"))]
    assert pages, "no pages"
    for page in pages:
        check(page)
