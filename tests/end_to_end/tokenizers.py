"""Tokenizers by their definition: made to be read, slow, and none of saemill's code.

    tokenizers.py make FOLDER KIND        FOLDER/text.jsonl, random texts for a tokenizer of
                                          tests/golden/tokenizers, and FOLDER/model/config.json
    tokenizers.py compare FOLDER KIND     are the token shards of FOLDER/run theirs?

The steps are those of Hugging Face's tokenizers, as tests/golden/README.md tells them; Python's own
tables say what is a letter, and its own regular expressions cut words.
"""
import heapq
import json
import os
import random
import re
import sys
import unicodedata

SPACES = "\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
TEXTS = 2000


def categories():
    """{general category: [(first, last) code points]}"""
    found, first = {}, 0
    for code in range(1, sys.maxunicode + 2):
        category = unicodedata.category(chr(first))
        if code > sys.maxunicode or unicodedata.category(chr(code)) != category:
            found.setdefault(category, []).append((first, code - 1))
            first = code
    return found


CATEGORIES = categories()


def members(name):
    return "".join(f"\\U{low:08x}-\\U{high:08x}" for category in CATEGORIES
                   for low, high in CATEGORIES[category] if category.startswith(name))


def translated(pattern):
    """A pattern for Python, which knows no \\p and takes more characters for white space."""
    made, in_class, at = "", False, 0
    while at < len(pattern):
        c = pattern[at]
        if pattern.startswith(r"\p{", at):
            end = pattern.index("}", at)
            inside = members(pattern[at + 3:end])
            made += inside if in_class else f"[{inside}]"
            at = end
        elif pattern.startswith(r"\s", at):
            made += SPACES if in_class else f"[{SPACES}]"
            at += 1
        elif pattern.startswith(r"\S", at):
            made += f"[^{SPACES}]"
            at += 1
        elif c == "\\":
            made += pattern[at:at + 2]
            at += 1
        else:
            in_class = c == "[" or (in_class and c != "]")
            made += c
        at += 1
    return re.compile(made)


def byte_names():
    own = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in own]
    return {b: chr(b) for b in own} | {b: chr(256 + i) for i, b in enumerate(others)}


NAMES = byte_names()


def sequence(step, name):
    if step is None:
        return []
    return step[name] if step["type"] == "Sequence" else [step]


class Tokenizer:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            root = json.load(file)
        self.model = root["model"]
        self.vocab = self.model["vocab"]
        pairs = [tuple(m.split(" ") if isinstance(m, str) else m) for m in self.model["merges"]]
        self.rank = {pair: i for i, pair in enumerate(pairs)}
        self.normalizers = sequence(root["normalizer"], "normalizers")
        self.steps = sequence(root["pre_tokenizer"], "pretokenizers")
        self.byte_level = any(step["type"] == "ByteLevel" for step in self.steps)
        self.added = {False: [], True: []}
        for token in root["added_tokens"]:
            normalized = token["normalized"]
            text = self.normal(token["content"]) if normalized else token["content"]
            self.added[normalized].append((text, token))
        self.patterns = {}
        self.contents = [token["content"] for token in root["added_tokens"]]
        self.size = 1 + max([*self.vocab.values()] + [t["id"] for t in root["added_tokens"]])

    def normal(self, text):
        for step in self.normalizers:
            if step["type"] == "NFC":
                text = unicodedata.normalize("NFC", text)
            elif step["type"] == "Prepend":
                text = text and step["prepend"] + text
            else:
                text = text.replace(step["pattern"]["String"], step["content"])
        return text

    def cut(self, text, normalized):
        """Parts of a text: strings, and ids of added tokens between them."""
        parts, done, at = [], 0, 0
        while at < len(text):
            there = [(len(name), token) for name, token in self.added[normalized]
                     if text.startswith(name, at)]
            if not there:
                at += 1
                continue
            length, token = max(there, key=lambda pair: pair[0])
            begin, end = at, at + length
            at = end
            while token["lstrip"] and begin > done and re.match(f"[{SPACES}]", text[begin - 1]):
                begin -= 1
            while token["rstrip"] and end < len(text) and re.match(f"[{SPACES}]", text[end]):
                end += 1
            if begin > done:
                parts.append(text[done:begin])
            parts.append(token["id"])
            done = end
        return parts + [text[done:]] * (done < len(text))

    def split(self, text, pattern, behavior, invert):
        if pattern not in self.patterns:
            self.patterns[pattern] = translated(pattern)
        pieces, done = [], 0
        for match in self.patterns[pattern].finditer(text):
            if match.start() > done:
                pieces.append((text[done:match.start()], False))
            pieces.append((match[0], True))
            done = match.end()
        if done < len(text):
            pieces.append((text[done:], False))
        if behavior == "Removed":
            return [piece for piece, matches in pieces if matches == invert]
        assert behavior == "Isolated" or not any(matches for _, matches in pieces)
        return [piece for piece, _ in pieces]

    def words(self, text, first):
        pieces = [text]
        for step in self.steps:
            if step["type"] == "Split" and "Regex" in step["pattern"]:
                args = step["pattern"]["Regex"], step["behavior"], step["invert"]
            elif step["type"] == "Split":
                args = re.escape(step["pattern"]["String"]), step["behavior"], step["invert"]
            elif step["type"] == "ByteLevel" and step.get("use_regex", True):
                args = GPT2, "Isolated", False
            elif step["type"] == "Metaspace":
                text = text.replace(" ", step["replacement"])
                if first and not text.startswith(step["replacement"]):
                    text = step["replacement"] + text
                return [text]
            else:
                continue
            pieces = [made for piece in pieces for made in self.split(piece, *args)]
        return pieces

    def symbols(self, word):
        if self.byte_level:
            return [NAMES[b] for b in word.encode()]
        made = []
        for c in word:
            made += [c] if c in self.vocab else [f"<0x{b:02X}>" for b in c.encode()]
        return made

    def merged(self, word):
        """The best merge anywhere, at its first place, until there is none."""
        if self.model.get("ignore_merges") and "".join(self.symbols(word)) in self.vocab:
            return ["".join(self.symbols(word))]
        symbols = self.symbols(word)
        following = [*range(1, len(symbols)), None]
        before = [None, *range(len(symbols) - 1)]
        heap = [(self.rank[pair], i) for i, pair in enumerate(zip(symbols, symbols[1:]))
                if pair in self.rank]
        heapq.heapify(heap)
        while heap:
            rank, i = heapq.heappop(heap)
            second = following[i] if symbols[i] else None
            if second is None or self.rank.get((symbols[i], symbols[second])) != rank:
                continue
            symbols[i] += symbols[second]
            symbols[second] = None
            following[i] = following[second]
            if following[i] is not None:
                before[following[i]] = i
            for left in before[i], i:
                if left is not None and following[left] is not None:
                    pair = symbols[left], symbols[following[left]]
                    if pair in self.rank:
                        heapq.heappush(heap, (self.rank[pair], left))
        return [symbol for symbol in symbols if symbol]

    def encode(self, text):
        ids, first = [], True
        for part in self.cut(text, False):
            if isinstance(part, int):
                ids.append(part)
            else:
                for piece in self.cut(self.normal(part), True):
                    if isinstance(piece, int):
                        ids.append(piece)
                    else:
                        for word in self.words(piece, first):
                            ids += [self.vocab[symbol] for symbol in self.merged(word)]
                    first = False
            first = False
        return ids


def any_character(draw):
    """Any that is assigned, since tables of several years meet here, and no half of a pair."""
    while True:
        c = chr(draw.randrange(0x20000))
        if unicodedata.category(c) not in ("Cn", "Cs"):
            return c


def texts(tokenizer):
    draw = random.Random(7)
    pools = [
        "etaoin shrdlu ,.'", "the The ing s't're'VE'LL ", " \n\r\t  ", "0123456789 ,.",
        "\u00e9\u00df\u017f\u212a\u00c5 e\u0301a\u030a\u0323n\u0303", "\u1100\u1161\u11a8\uac00\uac01",
        "\x85\u1680\u180e\u2003\u2028\u3000\u200b\ufeff\x1c ", "\u4f60\u597d\u4e16\u754c \u3042",
        "\U0001f600\u200d\U0001f469\u263a!?", "\u2581 \u2581a", "<>|[]_/sINST0x4A", "\x00\x01\x7f a",
    ]
    for number in range(TEXTS):
        length = draw.randrange(1, 12) if number % 3 else draw.randrange(60)
        text = ""
        for _ in range(length):
            kind = draw.randrange(10)
            if kind == 0:
                text += draw.choice(tokenizer.contents)
            elif kind == 1:
                text += any_character(draw)
            else:
                pool = draw.choice(pools)
                text += "".join(draw.choice(pool) for _ in range(draw.randrange(1, 6)))
        yield text
    # Longer than what is merged at a time, with words of all lengths.
    yield "".join(draw.choice("the ing, and on.") for _ in range(150000))
    yield "".join(draw.choice("aeinst") for _ in range(150000))


def make(folder, tokenizer):
    with open("tests/golden/gpt2-random/config.json", encoding="utf-8") as file:
        config = json.load(file)
    config |= {"vocab_size": tokenizer.size + 3, "bos_token_id": tokenizer.size,
               "eos_token_id": tokenizer.size + 1, "pad_token_id": tokenizer.size + 2}
    os.makedirs(folder + "/model")
    with open(folder + "/model/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    with open(folder + "/text.jsonl", "w", encoding="utf-8") as file:
        for text in texts(tokenizer):
            file.write(json.dumps({"text": text}) + "\n")


def compare(folder, tokenizer):
    import h5py     # pylint: disable=import-outside-toplevel

    ids = {}
    with h5py.File(folder + "/run/tokens/00000.h5") as file:
        pad = file.attrs["pad"]
        for part in "train", "holdout":
            for document, tokens in zip(file[part + "/document"][:], file[part + "/ids"][:]):
                assert tokens[0] == file.attrs["bos"]
                ids.setdefault(document, []).extend(i for i in tokens[1:] if i != pad)
    wrong = 0
    for number, text in enumerate(texts(tokenizer)):
        expected = tokenizer.encode(text)
        if ids.get(number, []) != expected:
            wrong += 1
            print(f"{text[:60]!a}: {ids.get(number, [])[:40]}, not {expected[:40]}")
    print(f"{number + 1 - wrong} of {number + 1} texts have their ids")
    return wrong > 0


def main():
    command, folder, kind = sys.argv[1:]
    tokenizer = Tokenizer(f"tests/golden/tokenizers/{kind}/tokenizer.json")
    sys.exit(make(folder, tokenizer) if command == "make" else compare(folder, tokenizer))


main()
