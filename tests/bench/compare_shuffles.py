"""The table of compare_shuffles.sh: mean and standard deviation over the seeds.

    compare_shuffles.py FOLDER
"""
import csv
import pathlib
import statistics
import sys

ORDERS = {0: "global", 100000: "buckets of 100,000", 10000: "buckets of 10,000",
          1000: "buckets of 1,000", 1: "as harvested"}


def training_loss(folder, target):
    """Mean of the last tenth of the steps."""
    path = folder / "train" / "res.01" / f"w1024-t{target}.tsv"
    with open(path) as file:
        losses = [float(line["loss"]) for line in csv.DictReader(file, delimiter="\t")
                  if not line["step"].startswith("#")]
    return statistics.mean(losses[-len(losses) // 10:])


def results(folder):
    """(target L0, its numbers) of the autoencoders of one run."""
    with open(folder / "release" / "scores.tsv") as file:
        for line in csv.DictReader(file, delimiter="\t"):
            target = round(float(line["target_l0"]))
            yield target, (training_loss(folder, target), float(line["fvu"]),
                           float(line["l0"]), float(line["delta_loss"]),
                           100 * float(line["never_active"]) / float(line["width"]))


def cell(values, digits):
    return f"{statistics.mean(values):.{digits}f} ± {statistics.stdev(values):.{digits}f}"


runs = pathlib.Path(sys.argv[1])
targets = (10, 20, 40)
print("| target L0 | order of the rows | training loss | FVU | L0 | added loss, nats | dead, % |")
print("|---|---|---|---|---|---|---|")
for target in targets:
    for bucket, order in ORDERS.items():
        seeds = [dict(results(folder))[target]
                 for folder in sorted(runs.glob(f"bucket-{bucket}-seed-?"))]
        columns = zip(zip(*seeds), (4, 4, 2, 4, 2))
        print(f"| {target} | {order} | " + " | ".join(cell(v, d) for v, d in columns) + " |")
