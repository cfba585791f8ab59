"""
Does an autoencoder find strangers?
===================================

An autoencoder learns to copy what is usual through a narrow middle. What it copies
badly must be unusual, so its error should find anomalies. Does it find them better
than simpler scores? Each digit in turn is the stranger: we train on the other nine,
and look for it among them. The autoencoder beats its linear cousin, PCA. But the
distance to the nearest training image, which learns nothing, beats both by far. And
no score finds a 1, because a stroke with little ink has little to be wrong about.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from tenphases import budget, data, get_device, set_seed, viz
from tenphases.models.mlp import mlp

viz.use_style()
torch.set_num_threads(1)  # the matrices are small
device = get_device()
SEEDS, CODE = (0, 1), 16

# %%
# Ten hunts
# ---------
# Images are shrunk to 14 by 14 pixels. In the hunt for a digit no training image
# shows it, and the test set is 900 usual images and 100 strangers. Labels serve to
# arrange the hunt and to judge it; no score sees one.

digits = data.mnist()
print(digits)
(images, labels), (asked, truth) = digits.train.tensors, digits.test.tensors
images, asked = (F.avg_pool2d(x, 2).flatten(1) for x in (images, asked))  # (N, 196)

# %%
# The judge
# ---------
# A score is high for what looks strange. Go down the list from the strangest:
# *precision* is the share of true strangers so far, *recall* the share of all
# strangers found so far. *Average precision* is the mean of the precisions at which
# the strangers were found. A score without any sense gets about the strangers' share
# of the test set, one in ten.


def precision_recall(scores, strange):
    hits = strange[scores.argsort(descending=True)].float()
    precision = hits.cumsum(0) / torch.arange(1, len(hits) + 1)
    average = (precision * hits).sum() / hits.sum()
    return hits.cumsum(0) / hits.sum(), precision, average.item()


# %%
# Three scores without a network
# ------------------------------
# *PCA* is the best linear autoencoder: the error of a copy from 16 numbers.
# *Mahalanobis* is the distance from the mean in units of the spread in each
# direction, with a floor under it for pixels that never change. *Nearest* is the
# distance to the closest training image.


def pca(known, asked):
    mean = known.mean(dim=0)
    directions = torch.linalg.svd(known - mean, full_matrices=False).Vh[:CODE]
    rest = asked - mean
    return (rest - rest @ directions.T @ directions).square().sum(dim=1)


def mahalanobis(known, asked, floor=0.01):
    mean, pixels = known.mean(dim=0), known.shape[1]
    covariance = (known - mean).T @ (known - mean) / len(known)
    covariance += floor * torch.eye(pixels)
    rest = asked - mean
    return (rest * torch.linalg.solve(covariance, rest.T).T).sum(dim=1)


def nearest(known, asked):
    return torch.cdist(asked, known).amin(dim=1)


# %%
# The autoencoder
# ---------------
# From 196 pixels through 96 units to a code of 16 numbers, and back the same way.
# The score is the squared error of the copy.


def autoencoder(known, seed):
    set_seed(seed)
    model = nn.Sequential(mlp(196, 96, CODE), mlp(CODE, 96, 196)).to(device)
    steps = budget(cpu=500, gpu=600)
    optimizer = torch.optim.AdamW(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    known = known.to(device)
    for _ in range(steps):
        batch = known[torch.randint(len(known), (100,))]
        loss = F.mse_loss(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return model


@torch.no_grad()
def copies(model, images):
    return model(images.to(device)).cpu()


# %%
# Ten strangers, four scores
# --------------------------

names = ("PCA", "Mahalanobis", "autoencoder", "nearest")
results, curves, models = {name: [] for name in names}, {}, {}
print("digit" + "".join(f"{name:>13}" for name in names))
for digit in range(10):
    known, strange = images[labels != digit], truth == digit
    trained = [autoencoder(known, seed) for seed in SEEDS]
    models[digit] = trained[0]
    scores = {
        "PCA": [pca(known, asked)],
        "Mahalanobis": [mahalanobis(known, asked)],
        "autoencoder": [(copies(m, asked) - asked).square().sum(1) for m in trained],
        "nearest": [nearest(known, asked)],
    }
    for name, runs in scores.items():
        found = [precision_recall(run, strange) for run in runs]
        results[name].append([average for *_, average in found])
        curves[name, digit] = found[0][:2]
    rows = (sum(r[-1]) / len(r[-1]) for r in results.values())
    print(f"{digit:5}" + "".join(f"{average:13.2f}" for average in rows))
results = {name: torch.tensor(rows) for name, rows in results.items()}  # (10, runs)
print("mean " + "".join(f"{rows.mean():13.2f}" for rows in results.values()))

# %%
# A dot for each digit and score; the autoencoder has two seeds. The dashed line is a
# score without any sense.

# sphinx_gallery_alt = "Average precision for each digit as the stranger, dots in four colours. The nearest-image score lies highest for most digits, above 0.8 for 0 and 2. The autoencoder's dots mostly lie between it and the two other scores. For 1 all dots lie near the dashed line at 0.1, and for 9 not far above it."
fig, ax = plt.subplots(figsize=(7.2, 3.2))
colors = dict(zip(names, (viz.GREY, viz.GREEN, viz.BLUE, viz.ORANGE), strict=True))
for i, (name, values) in enumerate(results.items()):
    places = torch.arange(10)[:, None] + 0.16 * (i - 1.5) + 0 * values
    ax.plot(places.flatten(), values.flatten(), "o", color=colors[name], label=name)
ax.axhline(0.1, color=viz.MUTED, linestyle="--", linewidth=1)
ax.set(xlabel="digit that is the stranger", ylabel="average precision", ylim=(0, 1))
ax.set_xticks(range(10))
_ = ax.legend(ncols=4, loc="upper right")

# %%
# What the numbers mean for somebody who must look through the list: the curves for
# an easy and a hopeless stranger.

# sphinx_gallery_alt = "Precision against recall, two panels. With 0 as the stranger the curve of nearest lies highest and stays above 0.5 to nearly full recall, the autoencoder lies below it, PCA lowest. With 1 as the stranger all three curves lie on the dashed line at 0.1 or below."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.8), sharey=True)
for ax, digit in zip(axes, (0, 1), strict=True):
    for name in ("PCA", "autoencoder", "nearest"):
        recall, precision = curves[name, digit]
        ax.plot(recall, precision, color=colors[name], label=name, linewidth=1.4)
    ax.axhline(0.1, color=viz.MUTED, linestyle="--", linewidth=1)
    ax.set(xlabel=f"recall, the stranger is {digit}", ylim=(0, 1.03))
axes[0].set_ylabel("precision")
_ = axes[1].legend()

# %%
# Too good at copying
# -------------------
# The reason is in the copies. On top are strangers, below what came out of the
# autoencoder that had never seen that digit.

pick = torch.cat([(truth == digit).nonzero()[:4, 0] for digit in (0, 1)])
made = [copies(models[d], asked[pick[4 * d : 4 * d + 4]]) for d in (0, 1)]
rows = torch.cat([asked[pick], *made]).clamp(0, 1)
# sphinx_gallery_alt = "Two rows of eight small images. Above, four handwritten zeros and four ones. Below, their copies, paler and blurred, yet most can be read as the digit above."
fig = viz.image_grid(rows.reshape(-1, 1, 14, 14))

# %%
# The copies are pale, but most can be read: whoever has learnt strokes can draw a new
# digit with them. A code that is free to combine what it knows generalises, and here
# that is the last thing we want. The nearest training image cannot combine anything.
# It also has to keep every training image and look through all of them.
#
# The 1 is a matter of ink: a squared error grows with the number of dark pixels, and
# a 1 has the fewest. Divided by the ink, the same errors find 1s well, but then they
# lose the 0s, which have most.


def divided(digit):
    errors = (copies(models[digit], asked) - asked).square().sum(dim=1)
    return precision_recall(errors / asked.square().sum(dim=1), truth == digit)[2]


per_ink = {digit: divided(digit) for digit in (0, 1)}
for digit, average in per_ink.items():
    before = results["autoencoder"][digit, 0]
    print(f"stranger {digit}: average precision {before:.2f}, per ink {average:.2f}")

means = {name: rows.mean() for name, rows in results.items()}
assert means["nearest"] > means["autoencoder"] + 0.06
assert means["autoencoder"] > means["PCA"] + 0.04
assert all(rows[1].max() < 0.2 for rows in results.values())
assert per_ink[1] > results["autoencoder"][1, 0] + 0.1
assert per_ink[0] < results["autoencoder"][0, 0] - 0.1

# %%
# So an autoencoder's error is a guess at what "unusual" means, and a different one
# for every way to measure it. Put the simple scores beside it, and judge all of them
# on known strangers of several kinds. One kind would have told any story.
#
# To vary: ``CODE``, from 2 to 64, or noise on the input of the autoencoder.
