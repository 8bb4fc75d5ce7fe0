"""GPT-2's tokenizer by its definition: made to be read, slow, and none of saemill's code.

    tokenizer.py make TEXT      train 43 merges on a text file; write tokenizer.json and
                                tokenizer_cases.json beside this file
    tokenizer.py encode MODEL   ids of the bytes on standard input, by a tokenizer.json

Words are those of the pattern in OpenAI's encoder.py; the symbols of a word are its bytes; of
all neighbours the pair that is first in the list of merges is merged wherever it stands, from
the left, until no pair of the list is there.
"""
import collections
import json
import os
import random
import sys
import unicodedata

WHITE = set("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") \
    | {chr(c) for c in range(0x2000, 0x200b)}
END = "<|endoftext|>"


def kind(c):
    if c in WHITE:
        return "white"
    return {"L": "letter", "N": "number"}.get(unicodedata.category(c)[0], "other")


def words(text):
    at = 0
    while at < len(text):
        for ending in ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d"):
            if text.startswith(ending, at):
                end = at + len(ending)
                break
        else:
            first = at + 1 if text[at] == " " and at + 1 < len(text) else at
            if kind(text[first]) == "white":
                first = at
            end = first
            while end < len(text) and kind(text[end]) == kind(text[first]):
                end += 1
            # White space leaves its last character to a word that follows.
            if kind(text[first]) == "white" and end < len(text) and end - at > 1:
                end -= 1
        yield text[at:end]
        at = end


def names():
    """The character that stands for each byte."""
    own = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in own]
    return {b: chr(b) for b in own} | {b: chr(256 + i) for i, b in enumerate(others)}


NAMES = names()


def merge(symbols, pair):
    made, i = [], 0
    while i < len(symbols):
        if tuple(symbols[i:i + 2]) == pair:
            made.append(symbols[i] + symbols[i + 1])
            i += 2
        else:
            made.append(symbols[i])
            i += 1
    return made


def spelled(word):
    return [NAMES[b] for b in word.encode()]


def clean(data):
    """Bytes to text; each byte that is no part of a UTF-8 character becomes U+FFFD."""
    text = data.decode("utf-8", "surrogateescape")
    return "".join("\ufffd" if 0xdc80 <= ord(c) <= 0xdcff else c for c in text)


def encode(model, data):
    vocab = model["model"]["vocab"]
    pairs = [tuple(m.split(" ") if isinstance(m, str) else m) for m in model["model"]["merges"]]
    rank = {pair: i for i, pair in enumerate(pairs)}
    added = {t["content"]: t["id"] for t in model["added_tokens"]}
    ids, rest = [], clean(data)

    def add(text):
        for word in words(text):
            symbols = spelled(word)
            while True:
                there = [p for p in zip(symbols, symbols[1:]) if p in rank]
                if not there:
                    break
                symbols = merge(symbols, min(there, key=rank.get))
            ids.extend(vocab[s] for s in symbols)

    while rest:
        found = [(rest.index(name), -len(name), name) for name in added if name in rest]
        if not found:
            add(rest)
            break
        at, _, name = min(found)
        add(rest[:at])
        ids.append(added[name])
        rest = rest[at + len(name):]
    return ids


def train(text, count):
    """The most frequent pair of neighbours becomes a token, again and again."""
    counts = collections.Counter(words(text))
    spelling = {word: spelled(word) for word in counts}
    merges = []
    for _ in range(count):
        pairs = collections.Counter()
        for word, symbols in spelling.items():
            for pair in zip(symbols, symbols[1:]):
                pairs[pair] += counts[word]
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        spelling = {word: merge(symbols, best) for word, symbols in spelling.items()}
    return merges


def model_of(merges):
    tokens = [NAMES[b] for b in sorted(NAMES, key=lambda b: ord(NAMES[b]))]
    tokens += [a + b for a, b in merges] + [END]
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [{"id": len(tokens) - 1, "special": True, "content": END,
                          "single_word": False, "lstrip": False, "rstrip": False,
                          "normalized": True}],
        "normalizer": None,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True},
        "post_processor": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {"dropout": None, "unk_token": None, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "", "fuse_unk": False,
                  "vocab": {token: i for i, token in enumerate(tokens)},
                  "merges": [f"{a} {b}" for a, b in merges]},
    }


CASES = [
    "", " ", "  ", "the", " the", "  the", "the ", "the  end", "\n", "\n\nthe\n", "a\r\nb",
    "the\t\tthe", "don't we'll they're I'd you've I'm it's'S", "'tis 'the' ''s", "x'", "e.g. 3.14",
    "1st 22nd 333rd", " ... !?\u2026 \u00bfqu\u00e9?", "na\u00efve \u00fcber \u00c5ngstr\u00f6m",
    "\u4f60\u597d\u4e16\u754c the \u4e16", "\u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd",
    "\U0001f600 \U0001f468\u200d\U0001f469", "e\u0301 \u0301", "a\u00a0the\u3000the \u2003 \u2028x",
    "  \u180ex", "  \u1680x  \u00a0x", "  \x1cx", "\x1c\x1d\x85\x0b\x0c", "\u00bd \u2167 \u0664\u0662",
    "<|endoftext|>", "the<|endoftext|> the", "<|endoftext|><|endoftext|>  <|endoftext|", "a \x00 b",
    "the " * 20, "ee" * 40 + "e", "the" * 60, " " * 30, "\n" * 7 + "the",
]
BROKEN = ["ff", "74 68 65 ff 74 68 65", "c3", "e2 82", "c0 80", "ed a0 80", "f8 88 80 80 80",
          "f0 8f bf bf", "f4 90 80 80", "20 80 20", "e2 82 ac f0 9f 98"]


def make(path):
    here = os.path.dirname(os.path.abspath(__file__))
    with open(path, encoding="utf-8") as file:
        text = file.read()
    model = model_of(train(text, 43))
    cases = [case.encode() for case in CASES] + [bytes.fromhex(b) for b in BROKEN]
    draw = random.Random(1)
    letters = "  \n'theands.,1\u00e9\u00df\u4e16\u3000\u00a0"
    for length in range(10, 400, 15):
        at = draw.randrange(len(text) - length)
        cases.append(text[at:at + length].encode())
        cases.append("".join(draw.choice(letters) for _ in range(length)).encode())
        cases.append(bytes(draw.randrange(256) for _ in range(length // 4)))
    with open(os.path.join(here, "tokenizer.json"), "w") as file:
        json.dump(model, file, indent=0)
    with open(os.path.join(here, "tokenizer_cases.json"), "w") as file:
        lines = [json.dumps({"bytes": case.hex(), "text": clean(case).encode().hex(),
                             "ids": encode(model, case)}) for case in cases]
        file.write("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        with open(sys.argv[2]) as json_file:
            print(*encode(json.load(json_file), sys.stdin.buffer.read()))
