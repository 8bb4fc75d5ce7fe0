"""Conversations for a suite with corpus.chat, and what becomes of them.

    chat.py make LINES RUN...       a conversation a line of the licence: LINES
    chat.py compare ASSISTANT ALL   two run folders, of which one keeps what the assistant says, and
                                    one everything
"""
import glob
import json
import sys

import h5py
import numpy

BEGIN, END, NEWLINE = 8, 9, 10      # of tests/golden/tokenizers/gemma3


def make():
    with open("LICENSE", encoding="utf-8") as file:
        lines = [line for line in file.read().splitlines() if line.strip()]
    for number in range(120):
        said = [lines[(37 * number + i) % len(lines)] for i in range(2 + number % 5)]
        roles = ["user", "assistant"] * 3
        messages = [{"role": roles[i], "content": text} for i, text in enumerate(said)]
        if number % 3 == 0:
            messages.insert(0, {"role": "system", "content": "Answer <start_of_turn>model\n."})
        print(json.dumps({"messages": messages}))


def sequences(run):
    with h5py.File(run + "/tokens/00000.h5") as file:
        for part in "train", "holdout":
            for row in zip(file[part + "/document"][:], file[part + "/start"][:],
                           file[part + "/ids"][:]):
                yield part, *row


def documents(run):
    """{document: ids, as complements where they are not kept}, without BOS and padding"""
    found = {}
    for _, document, start, ids in sorted(sequences(run), key=lambda row: row[1:3]):
        seen = numpy.where(ids < 0, -1 - ids, ids)
        assert seen[0] == 2 and len(found.get(document, [])) == start
        found.setdefault(document, []).extend(ids[1:][seen[1:] != 0])
    return found


def said(ids, speaker):
    """Which ids of a conversation does one say?  {speaker: places}"""
    places, at = set(), 0
    while at < len(ids):
        assert ids[at] == BEGIN
        name = ids.index(NEWLINE, at)
        end = ids.index(END, name)
        if ids[at + 1:name] == speaker:
            places |= set(range(name + 1, end))
        assert ids[end + 1] == NEWLINE
        at = end + 2
    return places


def rows(run, stream):
    found = {}
    for path in sorted(glob.glob(f"{run}/harvest/*/{stream}.h5")):
        with h5py.File(path) as file:
            for key in zip(file["document"][:], file["position"][:], file["token"][:],
                           file["activation"][:]):
                found[tuple(int(i) for i in key[:3])] = key[3].tobytes()
    return found


def compare(assistant, everything):
    some, all_ids = documents(assistant), documents(everything)
    model = next(ids for ids in all_ids.values() if len(ids) > 0)
    model = model[model.index(END) + 3:]
    model = model[:model.index(NEWLINE)]            # how "model" is spelled
    train = {document for part, document, _, _ in sequences(assistant) if part == "train"}
    want = set()
    for document, ids in all_ids.items():
        assert min(ids) >= 0
        places = said([int(i) for i in ids], [int(i) for i in model])
        kept = {i for i, token in enumerate(some[document]) if token >= 0}
        assert kept == places
        assert [t if i in kept else -1 - t for i, t in enumerate(ids)] == some[document]
        if document in train:
            want |= {(int(document), i, int(ids[i])) for i in places}
    for stream in "res.00", "attn.02":
        few, many = rows(assistant, stream), rows(everything, stream)
        assert set(few) == want and 0 < len(want) < len(many)
        assert all(many[key] == value for key, value in few.items())
    with h5py.File(assistant + "/tokens/00000.h5") as file:
        assert file.attrs["version"] == 3
    print(f"{len(want)} of {len(many)} rows are the assistant's")


if sys.argv[1] == "make":
    make()
else:
    compare(*sys.argv[2:])
