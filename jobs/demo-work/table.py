#!/usr/bin/env python3
"""What each method found on the demo's suite: a line each, from runs/demo-work."""
import json
import os

RUNS = "runs/demo-work"


def read(path):
    with open(os.path.join(RUNS, path), encoding="utf-8") as file:
        return json.load(file)


def attention():
    latents = [latent for latent in read("attention/circuit/attention_latents.json")["latents"]]
    return f"{len(latents)} latents taken apart"


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
    mean = {}
    for target in summary["targets"]:
        for way in target["ways"]:
            mean.setdefault(way["way"], []).append(way["effect"] / way["others"])
    ratios = ", ".join(f"{way} {sum(of) / len(of):.0f}" for way, of in mean.items())
    return f"r2 {summary['approximator']['r2']:.2f}; effect on the target over others: {ratios}"


def inversion():
    summary = read("inversion/invert/inversions.json")
    found = [thing["found"] for thing in summary["things"]]
    encoded = [thing["encoded"] for thing in summary["things"]]
    mean = lambda things, member: sum(thing[member] for thing in things) / len(things)
    return (f"error {mean(found, 'error'):.3f} with {mean(found, 'l0'):.0f} latents; the encoder's "
            f"{mean(encoded, 'error'):.3f} with {mean(encoded, 'l0'):.0f}")


for name, line in (("attention", attention), ("unlearning", unlearning), ("steering", steering),
                   ("inversion", inversion)):
    print(f"{name:<11} {line()}")
