"""
Which augmentations earn their place?
=====================================

A recipe of five augmentations makes this classifier worse. Which of the five is to
blame, and do the others earn their place? We train on two hundred windows of ten
photographs, with each augmentation alone and with the recipe less each one, over six
draws of data and weights, and compare within each draw. Shuffled colours do the
damage, because colour is what tells these photographs apart. Without them the recipe
is about as good as nothing: what the others give lies within the scatter of single
runs, which would have told any story.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from tenphases import data, viz

viz.use_style()
torch.set_num_threads(1)
SEEDS = range(6)

# %%
# Five augmentations
# ------------------
# Each works on a batch of shape (B, 3, 32, 32) and draws for every image on its
# own. *Mirror* flips left to right; *move* shifts by up to four pixels and
# mirrors what comes in at the edge.


def uniform(x):
    return 2 * torch.rand(len(x), 1, 1, 1) - 1


def mirror(x):
    return torch.where(uniform(x) < 0, x.flip(-1), x)


def move(x, most=4):
    B, C, H, W = x.shape
    padded = F.pad(x, [most] * 4, mode="reflect")
    rows = torch.randint(2 * most + 1, (B, 1)) + torch.arange(H)
    columns = torch.randint(2 * most + 1, (B, 1)) + torch.arange(W)
    images, channels = torch.arange(B)[:, None, None, None], torch.arange(C)
    return padded[
        images, channels[:, None, None], rows[:, None, :, None], columns[:, None, None]
    ]


# %%
# *Light* changes brightness and contrast; *colours* shuffles red, green and blue in
# half of the images; *erase* blanks a square of eight by eight.


def light(x):
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - middle) * (1 + 0.4 * uniform(x)) + middle + 0.2 * uniform(x)


def colours(x):
    order = torch.rand(len(x), 3).argsort(dim=1)
    shuffled = x.gather(1, order[:, :, None, None].expand_as(x))
    return torch.where(uniform(x) < 0, shuffled, x)


def erase(x, size=8):
    top, left = torch.randint(33 - size, (2, len(x), 1))
    at = torch.arange(32)
    rows = (at >= top) & (at < top + size)  # (B, 32)
    columns = (at >= left) & (at < left + size)
    return x.masked_fill((rows[:, :, None] & columns[:, None])[:, None], 0.5)


FIVE = {
    "mirror": mirror,
    "move": move,
    "light": light,
    "colours": colours,
    "erase": erase,
}

# %%
# One look before any training: would you still give these the label?

# sphinx_gallery_alt = "Six rows of eight small colour pictures, parts of photographs. Top row unchanged. Below, the same eight mirrored, shifted, lighter or darker, with a red rim turned violet in one, and with a grey square in each."
known = data.photo_patches(0, train=200, test=100).train.tensors[0][:8]
torch.manual_seed(0)
rows = [known, *(change(known) for change in FIVE.values())]
fig = viz.image_grid(torch.cat(rows).clamp(0, 1), cell=0.62)
for ax, name in zip(fig.axes[::8], ("as they are", *FIVE), strict=True):
    ax.text(-0.15, 0.5, name, transform=ax.transAxes, ha="right", va="center")

# %%
# The experiment
# --------------
# A small network, 150 steps. For one seed, every variant meets the same windows and
# begins with the same weights, so that we can subtract.


def small_network():
    return nn.Sequential(
        nn.Conv2d(3, 16, 5, stride=4, padding=2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 16, 10),
    )


def accuracy_with(changes, seed):
    (x, y), (x_test, y_test) = DRAWS[seed]
    torch.manual_seed(seed)
    model = small_network()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(150):
        rows = torch.randint(len(x), (40,))
        inputs = x[rows]
        for change in changes:
            inputs = change(inputs)
        loss = F.cross_entropy(model(inputs), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return (model(x_test).argmax(dim=1) == y_test).float().mean().item()


# %%
# Twelve variants: nothing, all five, each of the five alone, and all but each.

DRAWS = [
    [part.tensors for part in (patches.train, patches.test)]
    for patches in (data.photo_patches(s, train=200, test=1000) for s in SEEDS)
]
variants = {"none": [], "all five": list(FIVE.values())}
for name, change in FIVE.items():
    variants[f"only {name}"] = [change]
    variants[f"without {name}"] = [f for f in FIVE.values() if f is not change]
scores = {
    name: torch.tensor([accuracy_with(changes, seed) for seed in SEEDS])
    for name, changes in variants.items()
}
for name, score in scores.items():
    print(f"{name:16} {score.mean():.3f}, standard deviation {score.std():.3f}")

# %%
# Alone, and left out
# -------------------
# On the left, what each augmentation adds to none; on the right, what the recipe
# loses without it. A dot is a draw; the tick is the mean of six, and its whiskers
# reach two standard errors.

# sphinx_gallery_alt = "Two dot plots side by side, one row for each augmentation, six dots and a bar with whiskers in each, and a line at zero. In both, the mean for colours lies left of zero by several points. The other means lie near zero, those for mirror and move a little to the right of it, most with whiskers on both sides. Single dots scatter by several points to both sides."
# sphinx_gallery_thumbnail_number = 2
fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.8), sharex=True, sharey=True)
effects = [
    {name: scores[f"only {name}"] - scores["none"] for name in FIVE},
    {name: scores["all five"] - scores[f"without {name}"] for name in FIVE},
]
for ax, effect in zip(axes, effects, strict=True):
    for row, change in enumerate(effect.values()):
        ax.plot(100 * change, [row] * len(change), "o", color=viz.BLUE, alpha=0.5)
        error = 200 * change.std() / len(change) ** 0.5
        mean = 100 * change.mean()
        ax.errorbar(mean, row, xerr=error, fmt="|", color=viz.ORANGE, capsize=3)
    ax.axvline(0, color=viz.MUTED, linewidth=0.8)
axes[0].set(yticks=range(5), yticklabels=FIVE, xlabel="added to none (points)")
axes[1].set_xlabel("added to the other four (points)")
axes[0].invert_yaxis()

# %%
# The verdict
# -----------
# Shuffling colours hurts alone and in company. The network could tell these windows
# by their colours, and was told not to. Leave it out, and the recipe recovers. The
# other four move the mean by little, at this length of training, against a scatter
# of several points from draw to draw: from one run each, we could have "shown" that
# any of them helps or harms. And the two panels need not agree, since what an
# augmentation is worth depends on its company. So drop what hurts in both, keep what
# helps in both, and leave the rest to more seeds.

assert effects[0]["colours"].mean() < -0.015 and effects[1]["colours"].mean() < -0.02
assert scores["without colours"].mean() > scores["all five"].mean() + 0.02
assert scores["all five"].mean() < scores["none"].mean()
for name in FIVE:
    alone, last = (100 * effect[name].mean() for effect in effects)
    print(f"{name:8} alone {alone:+.1f}, added to the other four {last:+.1f} points")

# %%
# To vary: the number of windows (``train``), the steps, and the strengths.
