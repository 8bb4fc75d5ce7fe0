"""Give each parser of foreign bytes what libFuzzer makes of real files.

    fuzz.py PARSERS EXECUTIONS FOLDER [PARSER...]

PARSERS is the program (parsers.c), FOLDER is emptied.  The real files are those of a small run, of
the demo's model and of tests/golden, cut to a few kB.  At the end comes a table; an input that
crashed a parser, or took far too long, stays in FOLDER.  The exit status is the verdict.
"""
import glob
import gzip
import io
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zipfile

sys.path.insert(0, "tests/faults")
import campaign         # noqa: E402  pylint: disable=wrong-import-position

SEED = 7
LONGEST = 8192          # bytes of an input
HANG = 1200             # seconds for one input, on a machine however busy


def read(path):
    with open(path, "rb") as file:
        return file.read()


def safetensors():
    """A header with three tensors, and their values."""
    size = struct.unpack("<Q", read("jobs/demo/tiny-gemma2/model.safetensors")[:8])[0]
    header = json.loads(read("jobs/demo/tiny-gemma2/model.safetensors")[8:8 + size])
    names = sorted(name for name in header if name != "__metadata__")[:3]
    small, data = {"__metadata__": {"format": "pt"}}, 0
    for name in names:
        entry = header[name]
        small[name] = {"dtype": entry["dtype"], "shape": [4] * len(entry["shape"])}
        length = 2 * 4 ** len(entry["shape"])
        small[name]["data_offsets"] = [data, data + length]
        data += length
    text = json.dumps(small).encode()
    return struct.pack("<Q", len(text)) + text + bytes(data)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def tokenizer_model():
    """The demo's, with its control, byte and one-letter pieces only: fields of a protocol buffer."""
    data, at, kept, pieces = read("jobs/demo/tiny-gemma2/tokenizer.model"), 0, b"", 0
    while at < len(data):
        begin = at
        tag, at = varint(data, at)
        length, at = varint(data, at)       # all fields at the top have a length
        at += length
        pieces += tag >> 3 == 1
        if tag >> 3 != 1 or pieces <= 300 or pieces > 3950:
            kept += data[begin:at]
    return kept


def tokenizer_json(kind):
    """One of tests/golden with the tokens of bytes, the first merges, and a few added tokens."""
    root = json.loads(read(f"tests/golden/tokenizers/{kind}/tokenizer.json"))
    model = root["model"]
    model["merges"] = model["merges"][:4]
    made = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
    names = {"".join(pair) for pair in made} | {name for pair in made for name in pair}
    root["added_tokens"] = root["added_tokens"][:6]
    model["vocab"] = {name: number for name, number in model["vocab"].items()
                      if name in names or (len(name) == 1 and len(model["vocab"]) < 420)
                      or name.startswith("<")}
    return json.dumps(root, ensure_ascii=False, separators=(",", ":")).encode()


def npz(release):
    """Parameters of an autoencoder of four latents, as NumPy's zip of arrays."""
    kept = io.BytesIO()
    path = next(os.path.join(place, "params.npz") for place, _, names in os.walk(release)
                if "params.npz" in names)
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(kept, "w") as small:
        for name in whole.namelist():
            array = whole.read(name)
            at = 10 + struct.unpack("<H", array[8:10])[0]
            shape = [int(n) for n in re.findall(rb"\d+", array[:at].split(b"'shape':")[1])]
            header, count = array[10:at], 1
            for n in shape:
                header = re.sub(rb"\b%d\b(?=[,)])" % n, b"4", header)
                count *= 4
            header = header.rstrip() + b" " * (at - 11 - len(header.rstrip())) + b"\n"
            small.writestr(name, array[:10] + header + array[at:at + 4 * count])
    return kept.getvalue()


def seeds(run):
    """{parser: inputs to begin with}"""
    release = run + "/release"
    texts = read(os.path.dirname(run) + "/text/0.jsonl").splitlines(keepends=True)
    edits = [bytes([kind, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0]) for kind in (0, 2, 4, 128)]
    return {
        "safetensors": [safetensors()],
        "config": [read(f"{folder}/config.json") for folder in
                   ["jobs/demo/tiny-gemma2", *sorted(glob.glob("tests/golden/*-random"))]],
        "tokenizer-json": [read("tests/golden/gpt2-random/tokenizer.json")]
                          + [tokenizer_json(kind) for kind in
                             ("llama3", "gpt-neox", "mistral", "mistral-v3", "gemma3")],
        "tokenizer-model": [tokenizer_model()],
        "suite": [read(os.path.dirname(run) + "/suite.yaml"), read("jobs/demo.yaml")],
        "jsonl": [b"".join(texts[:2])],
        "chat": [b'{"messages": [{"role": "system", "content": "a"}, {"role": "user", "content": '
                 b'"b\\n"}, {"role": "assistant", "content": ""}]}\n'],
        "gz": [gzip.compress(b"".join(texts[:2]), mtime=0)],
        "npz": [npz(release)],
        "manifest": [read(release + "/manifest.json")],
        "sums": [read(release + "/SHA256SUMS")],
        "h5-tokens": edits, "h5-activations": edits, "h5-autoencoder": edits,
    }


TEMPLATES = {"h5-tokens": "tokens/00000.h5", "h5-activations": "shuffle/res.00/00000.h5",
             "h5-autoencoder": "train/res.00/w64-t8.h5"}


def fuzz(program, parser, inputs, executions, home):
    """(executions, crashes, hangs)"""
    place = f"{home}/{parser}/"
    os.makedirs(place + "inputs")
    for number, data in enumerate(inputs):
        with open(f"{place}inputs/seed-{number}", "wb") as file:
            file.write(data)
    environment = dict(os.environ, FUZZ_PARSER=parser, OMP_NUM_THREADS="1",
                       ASAN_OPTIONS="detect_leaks=0",      # a refusal ends a stage
                       FUZZ_TEMPLATE=home + "/suite/run/" + TEMPLATES.get(parser, ""))
    with open(place + "log", "wb") as log:
        subprocess.run([program, f"-runs={executions}", f"-seed={SEED}", f"-max_len={LONGEST}",
                        f"-timeout={HANG}", "-detect_leaks=0", "-rss_limit_mb=4096",
                        f"-artifact_prefix={place}", place + "inputs"],
                       env=environment, stdout=log, stderr=subprocess.STDOUT, check=False)
    text = read(place + "log").decode(errors="replace")
    done = max([int(n) for n in re.findall(r"^#(\d+)\b", text, re.MULTILINE)] + [0])
    hangs = sum(name.startswith("timeout-") for name in os.listdir(place))
    crashes = sum(name.startswith(("crash-", "oom-", "leak-")) for name in os.listdir(place))
    if not crashes and not hangs and f"Done {executions} runs" not in text \
            and f"Done {done} runs" not in text:
        crashes = 1
    print(f"{parser:16}{done:12}{crashes:10}{hangs:8}", flush=True)
    if crashes or hangs:
        print("\n".join(text.splitlines()[-40:]))
    return done, crashes, hangs


def main(program, executions, home, *chosen):
    shutil.rmtree(home, ignore_errors=True)
    suite = campaign.make_suite(home + "/suite")
    subprocess.run(["bin/saemill", "run", suite], check=True, stdout=subprocess.DEVNULL)
    print(f"{'parser':16}{'executions':>12}{'crashes':>10}{'hangs':>8}")
    every = seeds(home + "/suite/run")
    parsers = chosen or every.keys()
    sums = [sum(column) for column in zip(*(
        fuzz(program, parser, every[parser], int(executions), home) for parser in parsers))]
    print(f"result executions={sums[0]} parsers={len(parsers)} crashes={sums[1]} hangs={sums[2]}")
    return 1 if sums[1] or sums[2] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
