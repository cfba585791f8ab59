"""
Is it right to be sure?
=======================

A network says "a 7, with 99 per cent". Is it right 99 times in a hundred? Not this
one: with five hundred digits to learn from it claims more than it delivers. Two
remedies compete. An ensemble of eight networks helps a little, because all eight
learned from the same images and err together. One number, a temperature found on
other images, helps more, and changes no answer. Both together are best. On turned
digits every claim is false again.
"""

import matplotlib.pyplot as plt
import torch
from torch.func import functional_call, stack_module_state, vmap
from torch.nn import functional as F

from tenphases import budget, data, get_device, viz
from tenphases.models.mlp import mlp

viz.use_style()
torch.set_num_threads(1)
device = get_device()
SEED, MEMBERS, STEPS = 0, 8, 250
SPLITS = budget(cpu=4, gpu=20)

# %%
# Eight networks, several splits
# ------------------------------
# For each split, 500 images teach, 500 are held back to set the temperature, and all
# others test. The members of an ensemble learn from the same 500 and differ by their
# random start and by the order of the images.

digits = data.mnist()
images = torch.cat([digits.train.tensors[0], digits.test.tensors[0]])[:5000]
labels = torch.cat([digits.train.tensors[1], digits.test.tensors[1]])[:5000]
images, labels = images.to(device), labels.to(device)


def split(number):
    generator = torch.Generator().manual_seed(SEED + number)
    order = torch.randperm(len(labels), generator=generator).to(device)
    return order[:500], order[500:1000], order[1000:]


# %%
# ``stack_module_state`` puts the weights of eight networks into one tensor each, with
# a new first axis, and ``vmap`` runs all of them at once. The losses are added, so no
# member sees another's gradient.


def train(number):
    torch.manual_seed(1000 * SEED + number)
    models = [mlp(784, 128, 10).to(device) for _ in range(MEMBERS)]
    weights, _ = stack_module_state(models)
    optimizer = torch.optim.AdamW(weights.values(), lr=3e-3, weight_decay=0.01)
    members = vmap(lambda w, x: functional_call(models[0], w, (x,)))
    teach = split(number)[0]
    for _ in range(STEPS):
        rows = teach[torch.randint(len(teach), (MEMBERS, 50), device=device)]
        logits = members(weights, images[rows].flatten(2))  # (M, 50, 10)
        loss = MEMBERS * F.cross_entropy(logits.flatten(0, 1), labels[rows].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    @torch.no_grad()
    def answer(images):  # (N, 1, 28, 28) to logits (M, N, 10)
        x = images.flatten(1)
        return members(weights, x.expand(MEMBERS, *x.shape))

    return answer


networks = [train(number) for number in range(SPLITS)]

# %%
# Claims and facts
# ----------------
# The *confidence* is the probability of the answer. Sort the images into fifteen bins
# by it; in each bin, the mean confidence should equal the share of right answers.
# The mean gap, weighted by the images in each bin, is the *expected calibration
# error* (ECE). The *negative log-likelihood* (NLL) judges claims and answers together
# and needs no bins.


def bins(p, targets, count=15):
    """Share of all images, mean confidence and accuracy of each bin, (3, count)."""
    confidence, answer = p.max(dim=-1)
    place = (confidence * count).long().clamp(max=count - 1)
    right = (answer == targets).to(p.dtype)
    rows = torch.stack([torch.ones_like(right), confidence, right])
    sums = p.new_zeros(3, count).index_add_(1, place, rows)
    return torch.cat([sums[:1] / len(p), sums[1:] / sums[:1].clamp(min=1)])


def scores(p, targets):
    """Accuracy, NLL and ECE of probabilities (N, 10)."""
    share, confidence, right = bins(p, targets)
    accuracy = (p.argmax(dim=-1) == targets).float().mean()
    nll = F.nll_loss(p.clamp(min=1e-12).log(), targets)
    return torch.stack([accuracy, nll, (share * (confidence - right).abs()).sum()])


# %%
# A temperature :math:`T` divides the logits before the softmax. It never changes
# which is largest, so no answer changes. We take the one with the best NLL on the
# images held back (Guo and others, 2017). For an ensemble, the logarithm of the mean
# probability serves as logits.


def temperature(logits, targets):
    grid = torch.logspace(-0.5, 1, 151, device=device)
    losses = [F.cross_entropy(logits / t, targets) for t in grid]
    return grid[torch.stack(losses).argmin()]


def mean_log(logits):  # (M, N, 10) to (N, 10), the ensemble's logits
    return logits.softmax(-1).mean(0).clamp(min=1e-12).log()


def methods(answer, held, asked):
    """Probabilities (K, N, 10) of each method for the images asked."""
    logits, judged = answer(asked), answer(images[held])
    own = [temperature(one, labels[held]) for one in judged]
    scaled = logits / torch.stack(own)[:, None, None]
    pooled = mean_log(logits)
    t = temperature(mean_log(judged), labels[held])
    return {
        "single": logits.softmax(-1),
        "single, scaled": scaled.softmax(-1),
        "ensemble": pooled.exp()[None],
        "ensemble, scaled": (pooled / t).softmax(-1)[None],
    }


# %%
# A member's scores are averaged over the eight, so that *single* is what one network
# may expect.


def study(change):
    """Scores (splits, 3) and bins of every method on changed test images."""
    table, curves = {}, {}
    for number, answer in enumerate(networks):
        _, held, test = split(number)
        for name, ps in methods(answer, held, change(images[test])).items():
            each = torch.stack([scores(p, labels[test]) for p in ps])
            table.setdefault(name, []).append(each.mean(0))
            curves.setdefault(name, []).extend(bins(p, labels[test]) for p in ps)
    table = {name: torch.stack(rows).cpu() for name, rows in table.items()}
    return table, {name: torch.stack(rows).cpu() for name, rows in curves.items()}


upright, curves = study(lambda images: images)
print(f"{'':18}{'accuracy':>9}{'NLL':>8}{'ECE':>8}")
for name, rows in upright.items():
    accuracy, nll, ece = rows.mean(0).tolist()
    print(f"{name:18}{accuracy:9.3f}{nll:8.3f}{ece:8.3f}")

# %%
# The temperature does more than seven further networks. The reliability diagram shows
# the bins: below the diagonal a method claims too much, above it too little. A single
# number cannot be right for all bins, only on the whole.

# sphinx_gallery_alt = "Two reliability diagrams, share of right answers over confidence, with a dashed diagonal. Left, a single network lies below the diagonal; scaled, it follows the diagonal. Right, three ensembles: scaled and then averaged lies clearly above the diagonal, averaged and then scaled follows it, and the plain ensemble lies close to it."
colors = dict(zip(upright, viz.COLORS[:4], strict=True))
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
for k, (name, rows) in enumerate(curves.items()):
    share, confidence, right = rows.unbind(1)  # (splits x members, 15) each
    weight = share / share.sum(0).clamp(min=1e-9)
    seen = share.mean(0) > 0.003  # fuller bins only
    x, y = ((weight * values).sum(0)[seen] for values in (confidence, right))
    axes[int(k > 1)].plot(x, y, ".-", color=colors[name], label=name)
for ax in axes:
    ax.plot([0.2, 1], [0.2, 1], color=viz.MUTED, linestyle="--", linewidth=1)
    ax.set_xlabel("confidence")
    ax.legend()
_ = axes[0].set_ylabel("share of right answers")

# %%
# The mean of eight is flat where its members disagree, which makes it more modest.
# But started at random and shown the same images, they disagree too seldom:

test = split(0)[2]
wrong = networks[0](images[test]).argmax(dim=-1) != labels[test]  # (M, N)
shared = (wrong[:-1] & wrong[1:]).float().mean() / wrong[:-1].float().mean()
print(f"where one member is wrong, the next is wrong in {shared:.0%} of the cases")

# %%
# Away from home
# --------------
# Every temperature was found on upright digits. What is it worth on turned ones?


def turned(degrees):
    angle = torch.tensor(degrees).deg2rad()
    rows = [[angle.cos(), -angle.sin(), 0], [angle.sin(), angle.cos(), 0]]
    matrix = torch.tensor(rows, device=device)[None]

    def change(images):
        shape = images.shape
        matrices = matrix.expand(len(images), 2, 3)
        grid = F.affine_grid(matrices, shape, align_corners=False)
        return F.grid_sample(images, grid, align_corners=False)

    return change


angles = [0, 15, 30, 45, 60]
tables = [study(turned(degrees))[0] for degrees in angles]
# sphinx_gallery_thumbnail_number = 1
# sphinx_gallery_alt = "Two line charts over the angle by which the digits are turned, 0 to 60 degrees, for four methods. Left, accuracy falls from almost 0.9 to below 0.2, and the four curves coincide. Right, the calibration error rises steeply for all, to about 0.6 for the single network and the ensemble; the two scaled ones stay lower."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
for name, color in colors.items():
    for ax, column in ((axes[0], 0), (axes[1], 2)):
        values = [table[name][:, column].mean() for table in tables]
        ax.plot(angles, values, ".-", color=color, label=name)
for ax, label in zip(axes, ("accuracy", "expected calibration error"), strict=True):
    ax.set(xlabel="turned by (degrees)", xticks=angles, ylabel=label)
_ = axes[1].legend(fontsize=8)

# %%
# All claim too much there, the scaled ones less. A repair speaks for images like those
# it was made with, and nothing in the probabilities says that these are others.

mean = {name: rows.mean(0) for name, rows in upright.items()}
far = {name: rows.mean(0) for name, rows in tables[-1].items()}
assert mean["single, scaled"][2] < mean["single"][2] - 0.005
assert mean["single, scaled"][1] + 0.01 < mean["ensemble"][1] < mean["single"][1]
assert mean["ensemble, scaled"][1] < mean["single, scaled"][1]
assert shared > 0.5 and mean["ensemble"][0] > mean["single"][0] - 0.002
for name in upright:
    assert far[name][2] > mean[name][2] + 0.2
assert far["single, scaled"][2] < far["single"][2]

# %%
# To vary: the number of members, or give each member 500 images of its own.
