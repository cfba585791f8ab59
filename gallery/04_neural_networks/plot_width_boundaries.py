"""
Wider networks, wilder borders
==============================

What happens to the border that a classifier draws as its hidden layer grows? We
train ten networks of each width, on ten samples of the same two moons, whose best
possible border is known. Up to three units nearly all draw the same
straight line, which is wrong. Wide ones scatter around the right border, each bent
by the noise of its own sample. From eight units on, single networks predict about
equally well, and a vote of ten wide ones comes close to the best border: width does
not lead them astray in the same way.
"""

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from tenphases import viz

viz.use_style()
torch.set_num_threads(1)
WIDTHS = [1, 2, 3, 4, 8, 16, 64, 256]
NETS, POINTS, NOISE = 10, 100, 0.3

# %%
# Two moons, and the best border
# ------------------------------
# They are those of scikit-learn's ``make_moons``, half circles with normal noise,
# written down here because we need more than points: the density of each class.
# With both densities, the best classifier is the one that takes the class with the
# higher density, and no network can beat it. On real data nobody knows this line.


def half_circles(angle):
    """Points of the two curves, (2, N, 2)."""
    upper = torch.stack([angle.cos(), angle.sin()], dim=-1)
    return torch.stack([upper, torch.tensor([1.0, 0.5]) - upper])


def moons(count, generator):
    angle = torch.pi * torch.rand(count, generator=generator)
    y = (torch.arange(count) % 2).float()
    x = half_circles(angle)[y.long(), torch.arange(count)]
    return x + NOISE * torch.randn(count, 2, generator=generator), y


def best_score(x):
    """Log of the ratio of the densities of class 1 and class 0 at x, (N,)."""
    curves = half_circles(torch.linspace(0, torch.pi, 200))
    squares = torch.cdist(x, curves).square()  # (2, N, 200)
    log_density = (-squares / (2 * NOISE**2)).logsumexp(dim=-1)
    return log_density[1] - log_density[0]


generator = torch.Generator().manual_seed(0)
samples = [moons(POINTS, generator) for _ in range(NETS)]
x, y = (torch.stack(parts) for parts in zip(*samples, strict=True))
x_valid, y_valid = moons(4000, generator)
best = ((best_score(x_valid) > 0) == y_valid).float().mean().item()
print(f"the best border: {best:.3f} of new points right")

# %%
# Ten networks at a time
# ----------------------
# Each parameter has a first axis of length ten. The networks do not see each
# other: the loss is a sum of ten losses, and Adam treats every number by itself.
# (The chapter :ref:`shallow-networks` has more on this.)


def make(width, generator):
    def start(*shape, fan):
        values = 2 * torch.rand(NETS, *shape, generator=generator) - 1
        return (values / fan**0.5).requires_grad_()

    return [
        start(2, width, fan=2),
        start(1, width, fan=2),
        start(width, 1, fan=width),
        start(1, 1, fan=width),
    ]


def score(params, x):
    w, b, v, c = params
    return ((x @ w + b).relu() @ v + c)[..., 0]  # (NETS, N), a logit each


def train(params, steps=1000):
    optimizer = torch.optim.Adam(params, lr=0.02)
    for _ in range(steps):
        losses = F.binary_cross_entropy_with_logits(
            score(params, x), y, reduction="none"
        )
        optimizer.zero_grad()
        losses.mean(dim=1).sum().backward()
        optimizer.step()
    return params


nets = {width: train(make(width, generator)) for width in WIDTHS}

# %%
# The borders
# -----------
# Each thin line is the border of one network; the dark line is the best one.

side = torch.linspace(-2, 3, 120), torch.linspace(-1.6, 2.1, 100)
plane = torch.stack(torch.meshgrid(*side, indexing="xy"), dim=-1)  # (100, 120, 2)


@torch.no_grad()
def on_plane(params):
    return score(params, plane.flatten(0, 1)).reshape(NETS, 100, 120)


# sphinx_gallery_alt = "Six scatter plots of two interleaved half moons, for 1, 2, 4, 16, 64 and 256 hidden units, each with ten thin borders and one dark, S-shaped best border. With 1 and 2 units the thin borders are straight lines through the middle. With 4 some of them bend. From 16 on they follow the best one with ragged bends, more so as the width grows, with detours around single points."
# sphinx_gallery_thumbnail_number = 1
fig, axes = plt.subplots(2, 3, figsize=(7.2, 4.2), sharex=True, sharey=True)
for ax, width in zip(axes.flat, (1, 2, 4, 16, 64, 256), strict=True):
    for k, color in enumerate((viz.BLUE, viz.ORANGE)):
        points = x[0][y[0] == k]
        ax.plot(*points.T, ".", color=color, markersize=3.5, alpha=0.7)
    for border in on_plane(nets[width]):
        ax.contour(*side, border, levels=[0], colors=viz.PURPLE, linewidths=0.7)
    truth = best_score(plane.flatten(0, 1)).reshape(100, 120)
    ax.contour(*side, truth, levels=[0], colors=viz.INK, linewidths=1.6)
    label = f"{width} units" if width > 1 else "1 unit"
    ax.text(2.95, -1.5, label, ha="right", fontsize=9)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)

# %%
# How good are they?
# ------------------
# We measure each network on its own sample and on 4,000 new points. And we let
# the ten networks of one width vote. What all of them get wrong in the same way,
# the vote gets wrong, too; what only single networks get wrong, it mends. (A network
# with an accuracy of one half has its only unit switched off at all points, so that
# no gradient reaches it. The lines are medians, which do not mind single such
# networks.)


@torch.no_grad()
def measure(params):
    own = ((score(params, x) > 0) == y).float().mean(dim=1)
    votes = (score(params, x_valid) > 0).float()  # (NETS, 4000)
    new = (votes == y_valid).float().mean(dim=1)
    vote = ((votes.mean(dim=0) > 0.5) == y_valid).float().mean()
    return own, new, vote


results = {width: measure(params) for width, params in nets.items()}
own, new, vote = (torch.stack(parts) for parts in zip(*results.values(), strict=True))
print(f"{'units':>5}{'own sample':>12}{'new points':>12}{'vote':>8}")
for i, width in enumerate(WIDTHS):
    middle = [values[i].median() for values in (own, new)]
    print(f"{width:5}{middle[0]:12.3f}{middle[1]:12.3f}{vote[i]:8.3f}")

# sphinx_gallery_alt = "Accuracy against the number of hidden units, from 1 to 256. On their own samples the networks rise from about 0.84 to 1. On new points they rise to nearly 0.89 at 16 units and then fall slightly. With one unit a point or more may lie at 0.5. The vote of ten reaches the dashed line of the best border, at about 0.91, at 8 units and stays just below it."
fig, ax = plt.subplots(figsize=(6.4, 3.2))
lines = [(own, viz.BLUE, "own sample"), (new, viz.ORANGE, "new points")]
for values, color, label in lines:
    ax.plot(WIDTHS, values.median(dim=1).values, color=color, label=label)
    ax.plot(WIDTHS, values, ".", color=color, markersize=4, alpha=0.6)
ax.plot(WIDTHS, vote, "s-", color=viz.GREEN, label="vote of ten, new points")
ax.axhline(best, color=viz.INK, linestyle="--", linewidth=1, label="best border")
ax.set(xscale="log", xlabel="hidden units", ylabel="accuracy", ylim=(0.45, 1.02))
ax.set_xticks(WIDTHS, WIDTHS)
ax.legend(fontsize=8, loc="lower center")
ax.minorticks_off()

# %%
# Two ways to be wrong
# --------------------
# Narrow networks err together: the vote of ten is hardly better than one. That
# part of the error is called *bias*, and only another model helps against it. Wide
# networks err each in its own way, which is called *variance*, and the vote removes
# most of it. So does more data. More units cost little here: from 8 to 256 the
# accuracy on new points changes by a percentage point or two, while that on the own
# sample goes to one and says nothing any more.

own, new = own.median(dim=1).values, new.median(dim=1).values
narrow, medium, wide = (WIDTHS.index(width) for width in (3, 16, 256))
assert own[wide] > 0.97 and own[wide] > own[narrow] + 0.05
assert new[medium] > new[narrow] + 0.01 and new[medium] > new[0] + 0.015
broad = new[WIDTHS.index(8) :]
assert broad.max() - broad.min() < 0.04
assert vote[wide] > new[wide] + 0.01 and vote[wide] > best - 0.025
assert vote[narrow] - new[narrow] < vote[wide] - new[wide]
assert vote[narrow] < best - 0.02

# %%
# To vary: the noise, the number of points (try 1,000), or weight decay in Adam.
