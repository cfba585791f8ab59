"""
Does the range test pick winners?
=================================

A range test lets the learning rate grow at every step until the loss explodes,
and several rules read a peak rate off the curve: its steepest point, its lowest
point, a half or a tenth of that. Which rule finds the rate that wins a sweep? On a
small convolutional network, five seeds, with SGD and with Adam, the lowest point is
about twice too high, the steepest too low, and a tenth of the lowest far too low for
a short run. Half of the lowest came close to the winner with both.
"""

import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from tenphases import data, viz

viz.use_style()
torch.set_num_threads(1)
digits = data.mnist(seed=0)
SEEDS, BATCH, STEPS, LENGTH = 5, 32, 200, 120

# %%
# Five networks at a time
# -----------------------
# A small convolutional network learns digits of 14 by 14 pixels. Five copies with
# different initial weights are trained side by side: ``stack_module_state`` puts
# their weights into one tensor each, and ``vmap`` maps the loss over the copies,
# each of which sees batches of its own.


def pooled(split):
    images, labels = split.tensors
    return (F.avg_pool2d(images, 2) - 0.13) / 0.26, labels


images, labels = pooled(digits.train)
test_images, test_labels = pooled(digits.test)


def network():
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(256, 10)),
    )


def loss_of(weights, x, y):
    return F.cross_entropy(functional_call(skeleton, weights, (x,)), y)


skeleton = network()
OPTIMIZERS = {
    "SGD, momentum 0.9": lambda p: torch.optim.SGD(p, lr=1.0, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=1.0),
}

# %%
# Training takes a function that gives the rate at each step. It returns the loss
# of every batch, ``(steps, 5)``, and the test loss of each network at the end.


def train(make, rate, steps, seed=0):
    torch.manual_seed(seed)
    weights, _ = stack_module_state([network() for _ in range(SEEDS)])
    optimizer = make(weights.values())
    history = []
    for t in range(steps):
        optimizer.param_groups[0]["lr"] = rate(t)
        rows = torch.randint(len(labels), (SEEDS, BATCH))
        losses = vmap(loss_of)(weights, images[rows], labels[rows])
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
        history.append(losses.detach())
    with torch.no_grad():
        test = vmap(loss_of, in_dims=(0, None, None))(weights, test_images, test_labels)
    return torch.stack(history), test


# %%
# The test
# --------
# From 0.0001 the rate is multiplied by the same factor 120 times, up to 3. We
# smooth each loss over nine steps and read off four rates: where the loss falls
# fastest, where it is lowest, and a half and a tenth of the latter.

LOW, HIGH = 1e-4, 3.0
tried = LOW * (HIGH / LOW) ** (torch.arange(LENGTH) / LENGTH)


def range_test(make, seed=0):
    history, _ = train(make, lambda t: tried[t].item(), LENGTH, seed)
    history = history.nan_to_num(posinf=1e3).clamp(max=1e3)
    return F.avg_pool1d(history.T[:, None], 9, 1, 4, count_include_pad=False)[:, 0]


def suggestions(curves):
    """Geometric mean over the seeds of what each rule says."""
    lowest = curves.argmin(dim=1)
    slope = curves.diff(dim=1)
    slope = F.avg_pool1d(slope[:, None], 15, 1, 7, count_include_pad=False)[:, 0]
    for row, stop in enumerate(lowest.tolist()):
        slope[row, max(stop, 1) :] = math.inf
    rates = {"steepest": tried[slope.argmin(dim=1)], "lowest": tried[lowest]}
    rates |= {f"lowest / {n}": rates["lowest"] / n for n in (2, 10)}
    return {name: r.log().mean().exp().item() for name, r in rates.items()}


curves = {name: range_test(make) for name, make in OPTIMIZERS.items()}
rules = {name: suggestions(c) for name, c in curves.items()}

# %%
# The sweep
# ---------
# The truth costs more: 200 steps at each of nine peak rates, with a cosine
# schedule as one would use it.


def cosine(peak):
    return lambda t: peak * (0.5 + 0.5 * math.cos(math.pi * t / STEPS))


PEAKS = {
    "SGD, momentum 0.9": [0.3 * 2.0**-i for i in range(9)][::-1],
    "Adam": [0.1 * 2.0**-i for i in range(9)][::-1],
}
sweep = {
    name: torch.stack([train(make, cosine(p), STEPS)[1] for p in PEAKS[name]])
    for name, make in OPTIMIZERS.items()
}


def loss_at(name, rate):
    """Mean test loss at a rate, between the rates of the sweep on a log axis."""
    x = torch.tensor(PEAKS[name]).log2()
    mean = sweep[name].mean(dim=1).log()
    place = ((math.log2(rate) - x[0]) / (x[1] - x[0])).clamp(0, len(x) - 1.001)
    i = int(place)
    return torch.lerp(mean[i], mean[i + 1], place - i).exp().item()


# %%
# What the test shows
# -------------------

# sphinx_gallery_alt = "Two charts of the loss in the range test against the learning rate on a logarithmic axis, for SGD with momentum and for Adam, each with five thin grey lines and a blue mean. The loss is flat at small rates, falls, has a minimum and shoots up. Four vertical lines mark the rules; from left to right a tenth of the lowest, the steepest, half of the lowest, the lowest."
COLORS = {
    "lowest / 10": viz.GREY,
    "steepest": viz.GREEN,
    "lowest / 2": viz.ORANGE,
    "lowest": viz.PURPLE,
}
fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.8), sharey=True)
for ax, (name, lines) in zip(axes, curves.items(), strict=True):
    ax.plot(tried, lines.T, color=viz.GREY, linewidth=0.5)
    ax.plot(tried, lines.mean(dim=0), color=viz.BLUE)
    for rule, rate in rules[name].items():
        ax.axvline(rate, color=COLORS[rule], linestyle="--", label=rule)
    ax.set(xscale="log", xlabel=f"learning rate, {name}", ylim=(0.5, 3))
    if ax is axes[0]:
        ax.set_ylabel("loss during the test (nats)")
        ax.legend(fontsize=8, loc="lower left")

# %%
# What the sweep shows
# --------------------
# The same rates, now on the curve that counts.

# sphinx_gallery_alt = "Two charts of the final test loss against the peak rate, for SGD and for Adam. Each is a valley: high at small rates, lowest at about 0.075 for SGD and 0.025 for Adam, steep on the right. The mark of half the lowest rate sits at the bottom, the lowest to its right and a little higher, the steepest to its left, and a tenth of the lowest furthest left and highest."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.8), sharey=True)
for ax, (name, results) in zip(axes, sweep.items(), strict=True):
    ax.plot(PEAKS[name], results, ".", color=viz.GREY, markersize=4)
    ax.plot(PEAKS[name], results.mean(dim=1), color=viz.BLUE)
    for rule, rate in rules[name].items():
        height = loss_at(name, rate)
        ax.plot(rate, height, "o", color=COLORS[rule], markersize=8, label=rule)
    ax.set(xscale="log", xlabel=f"peak rate, {name}", ylim=(0.2, 1))
    if ax is axes[0]:
        ax.set_ylabel("test loss at the end (nats)")
        ax.legend(fontsize=8)

# %%
# The verdict
# -----------

regret = {}
for name, found in rules.items():
    best = sweep[name].mean(dim=1).min().item()
    winner = PEAKS[name][sweep[name].mean(dim=1).argmin()]
    print(f"{name}: the sweep's best is {winner:.4f}, loss {best:.3f}")
    for rule, rate in found.items():
        regret[name, rule] = loss_at(name, rate) / best - 1
        print(
            f"  {rule:12} {rate:.4f}, {rate / winner:5.2f} of the best rate, "
            f"loss {regret[name, rule]:+.0%}"
        )
for name in OPTIMIZERS:
    assert regret[name, "lowest / 2"] < 0.12
    assert regret[name, "lowest / 10"] > regret[name, "lowest / 2"] + 0.1
    assert rules[name]["steepest"] < rules[name]["lowest / 2"]

# %%
# The lowest point lies too far to the right, because each rate of the test acts
# for a moment only, and the steepest point too far to the left, because the loss
# falls fastest while it is still easy to lower. Between them is the rate that
# wins. A tenth of the lowest, a common default, is safe and slow: in 200 steps it
# does not get there. So the test narrows four decades down to a factor of about
# four; the last factor of two is worth three runs.
#
# To vary: ``STEPS`` (does a longer run want a smaller rate?), ``LENGTH``,
# ``BATCH``, and a network with batch norm. The test is built in
# :ref:`lr-scheduling`.
