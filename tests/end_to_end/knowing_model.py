"""A model that knows the answers to its questions, made by hand, with texts and questions.

    knowing_model.py FOLDER TOKENIZER

A question is " X1 X2 X3 X4 X", where X is one of the four words before it, and the answer the letter
of its place.  The model has one layer with one head: a token looks for itself among those before it,
by an embedding of 96 random values, and the head adds a letter's direction for each of the four
places.  Names have a direction of their own, and what goes against it is an answer A.  FOLDER/model gets the checkpoint with a copy of TOKENIZER, FOLDER the files of JSON Lines:
about names, to be forgotten, and about other words.
"""
import json
import os
import shutil
import sys

import numpy

WIDTH, VOCABULARY, POSITIONS, TOKEN, PLACE, TOPIC, ANSWER = 128, 2048, 128, 96, 96, 120, 124
CONFIG = {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "vocab_size": VOCABULARY,
          "n_embd": WIDTH, "n_layer": 1, "n_head": 1, "n_positions": POSITIONS,
          "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5,
          "tie_word_embeddings": True, "bos_token_id": 2047, "eos_token_id": 2047}

folder, tokenizer = sys.argv[1:]
numbers = numpy.random.default_rng(7)
with open(tokenizer, encoding="utf-8") as file:
    ids = json.load(file)["model"]["vocab"]


def known(words):
    return [word for word in words if "Ġ" + word in ids]


names = known(["Adam", "Alice", "Anna", "Clara", "Diana", "Edward", "George", "James", "Jane",
               "Kelly", "Lucy", "Mary"])


def weights():
    tokens = numbers.standard_normal((VOCABULARY, TOKEN))
    embedding = numpy.zeros((VOCABULARY, WIDTH))
    embedding[:, :TOKEN] = 4 * tokens / numpy.linalg.norm(tokens, axis=1, keepdims=True)
    places = numpy.zeros((POSITIONS, WIDTH))
    places[range(24), range(PLACE, PLACE + 24)] = 2
    products = numpy.zeros((WIDTH, 3 * WIDTH))      # queries, keys, values
    for value in range(TOKEN):
        products[value, value] = products[value, WIDTH + value] = 1.5
    for choice, letter in enumerate("ABCD"):
        for name in (letter, "Ġ" + letter):
            embedding[ids[name], ANSWER + choice] = 4
        products[PLACE + 1 + choice, 2 * WIDTH + ANSWER + choice] = 8
    embedding[[ids["Ġ" + name] for name in names], TOPIC] = 3
    embedding[[ids["A"], ids["ĠA"]], TOPIC] = -4
    one, none = numpy.ones(WIDTH), numpy.zeros(WIDTH)
    return {
        "wte.weight": embedding, "wpe.weight": places,
        "h.0.ln_1.weight": one, "h.0.ln_1.bias": none,
        "h.0.attn.c_attn.weight": products, "h.0.attn.c_attn.bias": numpy.zeros(3 * WIDTH),
        "h.0.attn.c_proj.weight": numpy.eye(WIDTH), "h.0.attn.c_proj.bias": none,
        "h.0.ln_2.weight": one, "h.0.ln_2.bias": none,
        "h.0.mlp.c_fc.weight": numpy.zeros((WIDTH, 4 * WIDTH)),
        "h.0.mlp.c_fc.bias": numpy.zeros(4 * WIDTH),
        "h.0.mlp.c_proj.weight": numpy.zeros((4 * WIDTH, WIDTH)), "h.0.mlp.c_proj.bias": none,
        "ln_f.weight": one, "ln_f.bias": none,
    }


def write_model(path):
    os.makedirs(path, exist_ok=True)
    header, data = {}, b""
    for name, values in weights().items():
        stored = values.astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": values.shape,
                        "data_offsets": [len(data), len(data) + len(stored)]}
        data += stored
    text = json.dumps(header).encode()
    with open(f"{path}/model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + data)
    with open(f"{path}/config.json", "w", encoding="utf-8") as file:
        json.dump(CONFIG, file)
    shutil.copy(tokenizer, f"{path}/tokenizer.json")


def write_lines(name, objects):
    with open(f"{folder}/{name}.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in objects)


def write_topic(texts, questions, words):
    """Texts of eight words, and questions about four."""
    write_lines(texts, ({"text": " ".join(numbers.choice(words, 8))} for _ in range(10)))
    asked = []
    for _ in range(6):
        choices, answer = list(numbers.choice(words, 4, replace=False)), int(numbers.integers(4))
        asked.append({"question": choices[answer], "choices": choices, "answer": answer})
    write_lines(questions, asked)


write_model(f"{folder}/model")
write_topic("forget", "questions", names)
write_topic("retain", "controls",
            known(["the", "year", "letter", "book", "library", "station", "market", "garden",
                   "castle", "coin", "basket", "apple"]))
