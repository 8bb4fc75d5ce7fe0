"""sentences.py -- text for jobs/circuits/latents-suite.yaml: sentences with indirect objects.

    python3 jobs/circuits/sentences.py

    reads   jobs/circuits/ioi.json           templates, names, places, things
    writes  runs/sentences.jsonl             a sentence a line, in the field "text"

Each sentence is a template with words drawn by a fixed seed, and ends with the name that was
mentioned once.  The same words give the same bytes.
"""
import json
import pathlib
import random

SENTENCES = 12000

words = json.loads((pathlib.Path(__file__).parent / 'ioi.json').read_text())
draw = random.Random(0)


def sentence():
    lists = words['lists']
    first, second = draw.sample(lists['NAME'], 2)
    subject, other = draw.choice([(first, second), (second, first)])
    text = draw.choice(words['templates'])
    for name in first, second, subject:
        text = text.replace('[NAME]', name, 1)
    for place in 'PLACE', 'THING':
        text = text.replace(f'[{place}]', draw.choice(lists[place]))
    return f'{text} {other}.'


runs = pathlib.Path('runs')
runs.mkdir(exist_ok=True)
with open(runs / 'sentences.jsonl.part', 'w') as out:
    for _ in range(SENTENCES):
        out.write(json.dumps({'text': sentence()}) + '\n')
(runs / 'sentences.jsonl.part').rename(runs / 'sentences.jsonl')
