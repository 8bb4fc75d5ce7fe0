#!/usr/bin/env python3
"""What each method found on the demo's suite: a line each, from runs/demo-work."""
import json
import os

RUNS = "runs/demo-work"


def mean(values):
    return sum(values) / len(values)


def read(path):
    with open(os.path.join(RUNS, path), encoding="utf-8") as file:
        return json.load(file)


def attention():
    """How much of a latent's activation is the strongest head's, and how much came from below."""
    latents = read("attention/circuit/attention_latents.json")["latents"]
    parts = [[abs(head["part"]) for head in latent["heads"]] for latent in latents]
    heads = [max(part) / sum(part) for part in parts]
    prompts = [prompt for latent in latents for prompt in latent["strongest"]
               if prompt["activation"] > 0]
    known = [prompt["below"]["latents"] / prompt["activation"] for prompt in prompts]
    return (f"{len(latents)} latents of heads: the strongest head has {mean(heads):.2f} of a latent, "
            f"latents of the layer below {mean(known):.2f}")


def unlearning():
    """The task that forgets most of those that keep 0.99 of the other texts."""
    sweep = read("unlearning/intervene/unlearning.json")
    kept = [point for point in sweep["points"] if point["retain"] >= 0.99]
    if not kept:
        return "no task keeps the other texts"
    best = min(kept, key=lambda point: point["forget"])
    return (f"the Bible at {best['forget']:.2f} of its likelihood, other texts at "
            f"{best['retain']:.3f}: {best['latents']} latents, strength {best['strength']:g}")


def steering():
    summary = read("steering/intervene/steering-targets.json")
    ratios = {}
    for target in summary["targets"]:
        for way in target["ways"]:
            ratios.setdefault(way["way"], []).append(way["effect"] / way["others"])
    return ("effect on the target over that on others: "
            + ", ".join(f"{way} {mean(of):.0f}" for way, of in ratios.items()))


def inversion():
    summary = read("inversion/invert/inversions.json")
    of = {by: {member: mean([thing[by][member] for thing in summary["things"]])
               for member in ("error", "l0")} for by in ("found", "encoded")}
    return (f"error {of['found']['error']:.3f} with {of['found']['l0']:.0f} latents; the encoder's "
            f"{of['encoded']['error']:.3f} with {of['encoded']['l0']:.0f}")


for name, line in (("attention", attention), ("unlearning", unlearning), ("steering", steering),
                   ("inversion", inversion)):
    print(f"{name:<11} {line()}")
