"""Do trained JumpReLU autoencoders reconstruct as well as one trained plainly?

    jumprelu_reference.py STREAM NAME RUN...        e.g. res.01 w1024-t20 runs/demo

Trains another one on the same rows of RUN/shuffle/STREAM by the same recipe, which it reads from
RUN/train/STREAM/NAME.h5: dense, in float64, formula by formula (Rajamanoharan et al.,
arXiv:2407.14435; Lieberum et al., arXiv:2408.05147, section 3.2), from other random numbers.
Prints loss, FVU and L0 of it and of each run's, means over the last steps.  Fails if one of them
has a FVU more than 2 % above the reference's, an L0 that differs by more than 2 %, or a loss
more than 1 % from the first run's.  Rows and recipe, but for its precision, must be the same in
all runs.  Minutes for a million rows.
"""
import glob
import re
import sys

import h5py
import numpy as np

LAST = 20       # steps that are averaged


def constants(suite):
    """{key: value} of the section train; every key is there."""
    section = re.search(r"^train:\n((?:  .*\n)*)", suite, re.M).group(1)
    return dict(re.findall(r"^  (\w+): (.*)$", section, re.M))


def batches(folder, batch, steps):
    """The rows in order, normalised over the whole stream; and the variance of that."""
    paths = sorted(glob.glob(f"{folder}/*.h5"))
    shards = [h5py.File(path, "r") for path in paths]
    rows = sum(len(shard["activation"]) for shard in shards)
    scale = np.sqrt(sum(float(shard.attrs["sum_squares"]) for shard in shards) / rows)
    mean = sum(shard["sum"][()] for shard in shards) / rows / scale
    x = np.concatenate([shard["activation"][()] for shard in shards]).astype(np.float64) / scale

    def number(t):
        return x[np.arange(t * batch, (t + 1) * batch) % rows]
    return number, 1 - mean @ mean


class Adam:
    def __init__(self, beta2, epsilon):
        self.beta2, self.epsilon, self.square, self.t = beta2, epsilon, {}, 0

    def move(self, p, gradient, rate):
        self.t += 1
        for name, g in gradient.items():
            square = self.square.setdefault(name, np.zeros_like(g))
            square *= self.beta2
            square += (1 - self.beta2) * g * g
            p[name] -= rate * g / (np.sqrt(square / (1 - self.beta2 ** self.t)) + self.epsilon)


def step(p, x, c, share):
    """Gradients of one batch; mean squared error and L0."""
    centred = x - p["b_dec"]
    pre = centred @ p["W_enc"].T + p["b_enc"]
    active = pre > p["theta"]
    residual = np.where(active, pre, 0) @ p["W_dec"] + p["b_dec"] - x
    l0 = active.sum() / len(x)
    slope = share * c["strength"] * 2 * (l0 / c["target"] - 1) / c["target"]
    by_y = 2 / len(x) * residual
    by_f = by_y @ p["W_dec"].T
    by_pre = np.where(active, by_f, 0)
    window = np.abs(pre - p["theta"]) < c["bandwidth"] / 2
    g = {
        "W_enc": by_pre.T @ centred,
        "W_dec": np.where(active, pre, 0).T @ by_y,
        "b_enc": by_pre.sum(0),
        "theta": -((p["theta"] * by_f + slope / len(x)) * window).sum(0) / c["bandwidth"],
    }
    g["b_dec"] = by_y.sum(0) - g["b_enc"] @ p["W_enc"]
    g["W_dec"] -= (g["W_dec"] * p["W_dec"]).sum(1, keepdims=True) * p["W_dec"]
    return g, (residual ** 2).sum() / len(x), l0


def ours(run, stream, name):
    log = np.genfromtxt(f"{run}/train/{stream}/{name}.tsv", names=True)[-LAST:]
    return log["loss"].mean(), log["fvu"].mean(), log["l0"].mean()


def verdict(label, found, reference, first):
    """Print what was found, and say whether it is good enough."""
    loss, fvu, l0 = found
    print(f"{label:40} loss {loss:.5f}  FVU {fvu:.5f}  L0 {l0:.3f}  "
          f"ratio of losses {loss / first:.4f}, of FVUs {fvu / reference[1]:.4f}, "
          f"of L0s {l0 / reference[2]:.4f}")
    return (abs(loss / first - 1) < 0.01 and fvu < 1.02 * reference[1]
            and abs(l0 / reference[2] - 1) < 0.02)


def reference(run, stream, name):
    """Loss, FVU and L0 of the last steps of one that is trained plainly."""
    with h5py.File(f"{run}/train/{stream}/{name}.h5", "r") as file:
        about = dict(file.attrs)
    keys = constants(about["suite"] if isinstance(about["suite"], str) else about["suite"].decode())
    number = {key: float(keys[key]) for key in
              ("learning_rate", "warmup", "decay", "sparsity_warmup", "bandwidth", "threshold",
               "beta2", "epsilon", "batch", "target_strength")}
    assert float(keys["beta1"]) == 0 and keys["threshold_form"] == "raw"
    steps, latents = int(about["steps"]), int(about["latents"])
    c = {"bandwidth": number["bandwidth"], "strength": number["target_strength"],
         "target": float(re.search(r"-t([\d.]+)$", name).group(1))}
    batch, variance = batches(f"{run}/shuffle/{stream}", int(number["batch"]), steps)

    random = np.random.default_rng(7)
    decoder = random.uniform(-1, 1, (latents, int(about["inputs"])))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    p = {"W_dec": decoder, "W_enc": decoder.copy(), "b_enc": np.zeros(latents),
         "b_dec": np.zeros(decoder.shape[1]), "theta": np.full(latents, number["threshold"])}
    adam, last = Adam(number["beta2"], number["epsilon"]), []
    for t in range(steps):
        rate = number["learning_rate"]
        if t < number["warmup"]:
            rate *= 0.1 + 0.45 * (1 - np.cos(np.pi * t / number["warmup"]))
        if steps - t < number["decay"] * steps:
            rate *= (steps - t) / (number["decay"] * steps)
        share = min(1, t / max(number["sparsity_warmup"], 1))
        gradient, mse, l0 = step(p, batch(t), c, share)
        adam.move(p, gradient, rate)
        p["W_dec"] /= np.linalg.norm(p["W_dec"], axis=1, keepdims=True)
        p["theta"] = np.maximum(p["theta"], 0)
        loss = mse + share * c["strength"] * (l0 / c["target"] - 1) ** 2
        last = (last + [(loss, mse / variance, l0)])[-LAST:]

    return tuple(np.mean(last, axis=0))


def main(stream, name, *runs):
    plain = reference(runs[0], stream, name)
    first = ours(runs[0], stream, name)[0]
    print(f"{'reference, float64':40} loss {plain[0]:.5f}  FVU {plain[1]:.5f}  L0 {plain[2]:.3f}")
    good = [verdict(run, ours(run, stream, name), plain, first) for run in runs]
    return 0 if all(good) else 1


sys.exit(main(*sys.argv[1:]))
