"""Change a release so that all its sums are right.

    tamper.py RELEASE WHAT

WHAT is a name in EDITS, or "score:KEY:VALUE[:FOLDER]", which changes a score in all folders or in one.
"""
import glob
import hashlib
import os
import re
import sys


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def write(path, text):
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def config(old, new):
    def edit(release):
        path = sorted(glob.glob(f"{release}/*/*/*/*/cfg.json"))[0]
        text = read(path)
        assert old in text
        write(path, text.replace(old, new))
    return edit


def table(release):
    text = read(f"{release}/scores.tsv").split("\n")
    row = text[1].split("\t")
    row[-1] = "0"
    write(f"{release}/scores.tsv", "\n".join([text[0], "\t".join(row)] + text[2:]))


def report(old, new):
    def edit(release):
        text = read(f"{release}/index.html")
        assert old in text
        write(f"{release}/index.html", text.replace(old, new, 1))
    return edit


def manifest(release):
    text = read(f"{release}/manifest.json")
    write(f"{release}/manifest.json", re.sub(r'"tokens": (\d+)', '"tokens": 99', text, count=1))


def score(release, key, value, folder="*"):
    for path in glob.glob(f"{release}/*/*/*/{folder}/scores.json"):
        text = re.sub(rf'^ "{key}": .*', f' "{key}": {value},', read(path), flags=re.M)
        text = text[:text.rindex(',\n "sha256"')]
        write(path, f'{text},\n "sha256": "{hashlib.sha256(text.encode()).hexdigest()}"\n}}')


EDITS = {
    "apply": config('"apply_b_dec_to_input": false', '"apply_b_dec_to_input": true'),
    "normalise": config('"normalize_activations": "none"', '"normalize_activations": "layer_norm"'),
    "hook": config('"hook_layer": 2', '"hook_layer": 3'),
    "dtype": config('"dtype": "float32"', '"dtype": "float16"'),
    "table": table,
    "script": report("</body>", "<script>alert(1)</script></body>"),
    "plot-script": report("</svg>", "<script>alert(1)</script></svg>"),
    "plot-event": report("<rect ", "<rect onclick='alert(1)' "),
    "plot-link": report("xlink:href='#", "xlink:href='http://x/#"),
    "words": report("Sparsity and fidelity", "Fidelity"),
    "manifest": manifest,
}


def main(release, what):
    if what.startswith("score:"):
        score(release, *what.split(":")[1:])
    else:
        EDITS[what](release)
    names = sorted(os.path.relpath(path, release).encode() for path in
                   glob.glob(f"{release}/**", recursive=True) if os.path.isfile(path))
    with open(f"{release}/SHA256SUMS", "wb") as sums:
        for name in names:
            if name != b"SHA256SUMS":
                with open(os.path.join(release.encode(), name), "rb") as file:
                    sums.write(hashlib.sha256(file.read()).hexdigest().encode() + b"  " + name + b"\n")


main(*sys.argv[1:])
