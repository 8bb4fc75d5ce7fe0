"""compile_tracr.py -- two programs of tracr (Lindner et al., arXiv:2301.05062) as models, by hand.

    compile_tracr.py        writes tracr_proportion.h5 and tracr_reverse.h5 beside itself

They follow tracr's rules.  The residual stream has a direction for each value of a category and one
for each number.  Tokens bring their own direction and `one`, positions bring their index, and the
first position brings none.  A head that selects has the product 1 where it selects, and one half,
or 1 if it shall always look there, between `one` and BOS; scores are a hundred times that.  MLPs have
no biases: `one` stands in for them.  The unembedding takes the first directions.
"""
from pathlib import Path

import h5py
import numpy as np

COLD = 100


class Model:
    def __init__(self, layers, units, directions):
        self.place = {name: i for i, name in enumerate(directions)}
        d = len(directions)
        self.layers = [dict(W_Q=np.zeros((1, d, d)), W_K=np.eye(d)[None], W_V=np.zeros((1, d, d)),
                            W_O=np.eye(d)[None], b_Q=np.zeros((1, d)), b_K=np.zeros((1, d)),
                            b_V=np.zeros((1, d)), W_in=np.zeros((d, units)), b_in=np.zeros(units),
                            W_out=np.zeros((units, d)), b_out=np.zeros(d)) for _ in range(layers)]
        self.units = [0] * layers

    def embed(self, tokens, indices):
        """Rows of tokens, and of positions, the first of which is BOS's."""
        self.W_E = np.zeros((len(tokens), len(self.place)))
        for row, token in zip(self.W_E, tokens):
            row[[self.place[token], self.place['one']]] = 1
        self.W_pos = np.zeros((1 + len(indices), len(self.place)))
        for row, index in zip(self.W_pos[1:], indices):
            row[self.place[index]] = 1

    def select(self, layer, pairs, to_bos, moves):
        """A head that looks from a query to a key for each pair of directions, and at BOS; it moves
        directions of the key to directions of the query's position."""
        head = self.layers[layer]
        scale = COLD * np.sqrt(len(self.place))     # scores are divided by that root
        for query, key in pairs:
            head['W_Q'][0, self.place[query], self.place[key]] = scale
        head['W_Q'][0, self.place['one'], self.place['BOS']] = scale * to_bos
        for source, target in moves:
            head['W_V'][0, self.place[source], self.place[target]] = 1

    def unit(self, layer, reads, writes):
        """A hidden unit of the MLP, by direction."""
        unit, mlp = self.units[layer], self.layers[layer]
        self.units[layer] += 1
        for name, weight in reads.items():
            mlp['W_in'][self.place[name], unit] = weight
        for name, weight in writes.items():
            mlp['W_out'][unit, self.place[name]] = weight

    def write(self, name, outputs, tokens):
        path = Path(__file__).parent / name
        with h5py.File(path, 'w') as file:
            model = file.create_group('model')
            d = len(self.place)
            sizes = dict(vocabulary=len(self.W_E), outputs=outputs, d_model=d, heads=1, d_head=d,
                         d_mlp=self.layers[0]['W_in'].shape[1], layers=len(self.layers),
                         positions=len(self.W_pos), layernorm=0, causal=0)
            for key, value in sizes.items():
                model.attrs[key] = value
            model['W_E'], model['W_pos'] = self.W_E, self.W_pos
            model['W_U'] = np.eye(d, outputs)
            for layer, arrays in enumerate(self.layers):
                for key, value in arrays.items():
                    model.create_dataset(f'layers/{layer}/{key}', data=value, compression='gzip')
            file['tokens'] = np.array(tokens, dtype=np.int32)


def names(kind, values):
    return [f'{kind}:{value}' for value in values]


def proportion():
    """The share of x among the tokens up to each.  tracr sorts BOS and pad before the words."""
    words, indices = ['BOS', 'pad', 'w', 'x', 'y', 'z'], names('index', range(5))
    model = Model(2, 1, ['share'] + words + indices + ['is_x', 'one'])
    model.embed(words, indices)
    model.unit(0, {'x': 1}, {'is_x': 1})
    model.select(1, [(indices[q], indices[k]) for q in range(5) for k in range(q + 1)], .5,
                 [('is_x', 'share')])
    # Rows of BOS, pad, w and x, as the authors of ACDC have them: BOS stands anywhere.
    rows = np.random.default_rng(1).permutation(256)[:50]
    model.write('tracr_proportion.h5', 1, [[row // 4**i % 4 for i in range(4)] for row in rows])


def reverse():
    """The tokens in reverse order, which BOS precedes."""
    words, indices = names('token', (1, 2, 3)), names('index', range(5))
    lengths, sums = names('length', range(6)), names('mirrored', range(-4, 6))
    opposite = names('opposite', range(-5, 5))
    model = Model(4, 60, names('out', (1, 2, 3)) + words + ['BOS', 'pad'] + indices + ['width']
                  + lengths + sums + opposite + ['one'])
    model.embed(words + ['BOS', 'pad'], indices)
    # The share of BOS in all tokens is 1 / (length + 1).
    model.select(0, [(q, k) for q in words + ['BOS', 'pad'] for k in words + ['pad']], 1,
                 [('BOS', 'width')])
    # Two units make a step of width 1 / steep at each bound between two lengths.
    steep = 1000
    for length in range(6):
        for bound, sign in ((length + 1.5, 1), (length + .5, -1)):
            for shift in (0, 1):
                model.unit(0, {'width': steep, 'one': -steep / bound - shift},
                           {f'length:{length}': sign * (1 - 2 * shift)})
    for length in range(6):
        for index in range(5):
            model.unit(1, {f'length:{length}': 1, f'index:{index}': 1, 'one': -1},
                       {f'mirrored:{length - index}': 1})
    for value in range(-4, 6):
        model.unit(2, {f'mirrored:{value}': 1}, {f'opposite:{value - 1}': 1})
    model.select(3, [(f'opposite:{i}', f'index:{i}') for i in range(5)], .5,
                 [(f'token:{t}', f'out:{t}') for t in (1, 2, 3)])
    orders = [[a, b, 3 - a - b] for a in range(3) for b in range(3) if a != b]
    model.write('tracr_reverse.h5', 3, [[3] + order for order in orders])


proportion()
reverse()
