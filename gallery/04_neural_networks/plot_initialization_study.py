"""
How exact must initialisation be?
=================================

Kaiming's rule gives the standard deviation of a ReLU network's first weights. How
far off may one be? We multiply it by factors from a quarter to four and train
networks of 3, 10 and 30 layers on the digits, five seeds each. With three layers,
anything from a quarter to the full value will do. With thirty, a quarter more
or a fifth less costs much of what can be learned, and the rule itself is best.
What decides is the factor to the power of the depth. Adam forgives weights that
are too small more readily than those that are too large.
"""

import itertools
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from tenphases import data, viz

viz.use_style()
torch.set_num_threads(1)
FACTORS = [0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.4, 2, 4]
DEPTHS, SEEDS, WIDTH, STEPS = [3, 10, 30], 5, 32, 150


def halve(images):
    return F.avg_pool2d(images, 2).flatten(start_dim=1)  # (N, 196)


digits = data.mnist(seed=0)
x, y = halve(digits.train.tensors[0]), digits.train.tensors[1]
x_test, y_test = halve(digits.test.tensors[0]), digits.test.tensors[1]
mean, std = x.mean(), x.std()
x, x_test = (x - mean) / std, (x_test - mean) / std

# %%
# Fifty-five networks at once
# ---------------------------
# A weight gets one more axis in front: five seeds times eleven factors. Networks of
# the same seed have the same random numbers and differ by the factor alone. A batched
# matrix product runs all of them, and as the loss is a sum over networks, each
# receives its own gradient and nobody else's. Biases start at zero.


def draw(depth):
    widths = [196] + [WIDTH] * (depth - 1) + [10]
    factors = torch.tensor(FACTORS).repeat(SEEDS)[:, None, None]
    params = []
    for n_in, n_out in itertools.pairwise(widths):
        noise = torch.randn(SEEDS, n_out, n_in) * math.sqrt(2 / n_in)
        weight = factors * noise.repeat_interleave(len(FACTORS), dim=0)
        bias = torch.zeros(len(weight), 1, n_out)
        params += [weight.requires_grad_(), bias.requires_grad_()]
    return params


def forward(params, inputs):
    h = inputs.expand(len(params[0]), -1, -1)  # (55, B, 196)
    for weight, bias in zip(params[::2], params[1::2], strict=True):
        h = torch.baddbmm(bias, h if weight is params[0] else h.relu(), weight.mT)
    return h  # (55, B, 10)


torch.manual_seed(0)
params = draw(3)
one = nn.Sequential(
    nn.Linear(196, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(),
    nn.Linear(WIDTH, 10),
)  # fmt: skip
with torch.no_grad():
    for p, stacked in zip(one.parameters(), params, strict=True):
        p.copy_(stacked[7].squeeze(0))
    torch.testing.assert_close(forward(params, x[:50])[7], one(x[:50]))

# %%
# Training
# --------
# 150 steps of 64 digits, with Adam for all three depths and with SGD and momentum for
# the middle one. Both optimizers work element by element, so that the networks do
# not meet there either. All numbers below are shares of the test digits.


def study(depth, optimizer_class, seed=0, **options):
    torch.manual_seed(seed)
    params = draw(depth)
    optimizer = optimizer_class(params, **options)
    for _ in range(STEPS):
        rows = torch.randint(len(x), (64,))
        logits = forward(params, x[rows]).flatten(0, 1)  # (55 * 64, 10)
        targets = y[rows].repeat(len(params[0]))
        loss = F.cross_entropy(logits, targets, reduction="sum") / 64
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = forward(params, x_test).nan_to_num(0).argmax(dim=2) == y_test
    return right.float().mean(dim=1).reshape(SEEDS, len(FACTORS))


adam = {depth: study(depth, torch.optim.Adam, lr=2e-3) for depth in DEPTHS}
sgd = study(10, torch.optim.SGD, lr=0.01, momentum=0.9)

print("factor    ", *(f"{k:5}" for k in FACTORS))
for depth, shares in adam.items():
    print(f"{depth:3} layers", *(f"{v:5.2f}" for v in shares.mean(dim=0)))
    print("   spread ", *(f"{v:5.2f}" for v in shares.amax(0) - shares.amin(0)))

# %%
# The window closes
# -----------------
# Lines are means, dots are single networks. Look at the flanks: there the dots are
# far apart, and one run could have shown nearly anything.

# sphinx_gallery_alt = "Share of test digits right against the factor, 0.25 to 4 on a logarithmic axis, for three depths; dots for five seeds and lines for their means. Three layers: a broad plateau near 0.9 from 0.25 to 1.25, falling to about one half at 4. Ten layers: a hill with its top above 0.8 between 0.8 and 1.1 that falls to about 0.3 at 0.25 and 0.2 at 2. Thirty layers: a narrow peak of about one half at 1, and one tenth below 0.5 and above 1.4."
fig, ax = plt.subplots(figsize=(6.4, 3.4))
for (depth, shares), color in zip(adam.items(), viz.COLORS, strict=False):
    ax.plot(FACTORS, shares.mean(dim=0), color=color, label=f"{depth} layers")
    ax.plot(FACTORS, shares.T, ".", color=color, alpha=0.6)
ax.axhline(0.1, color=viz.MUTED, linestyle="--", linewidth=1)
ax.set(xscale="log", xlabel="factor on Kaiming's standard deviation")
ax.set(ylabel="share of test digits right", ylim=(0, 1))
ax.set_xticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
ax.legend(loc="upper right")
ax.minorticks_off()

# %%
# One curve, and two optimizers
# -----------------------------
# The chapter :ref:`deep-networks` predicts that a factor :math:`k` in each of
# :math:`L` layers changes the last outputs by :math:`k^L`. If that is what hurts,
# the three curves, each divided by its top, should become one when drawn against
# :math:`k^L`. They nearly do, over twelve powers of ten. All three depths learn well
# if the outputs start between a hundredth and ten times of what they should be. A
# thousandth costs less than a thousandfold, and that is due to Adam, whose steps do
# not become small when the gradient does. SGD's do, and it falls on both sides.

# sphinx_gallery_alt = "Two charts. Left, the share of test digits relative to the best of each depth, against the factor to the power of the depth, from one millionth to one million on a logarithmic axis. The curves for 3, 10 and 30 layers nearly coincide: close to 1 between one hundredth and one, falling steeply above 10 to about one third at one thousand, and slowly below one hundredth, to about 0.7 at one thousandth. Right, ten layers with Adam and with SGD against the factor: both have their top near 1; SGD falls to about one tenth at 0.5 and at 2, Adam is at about 0.65 and 0.25 there."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.1))
for (depth, shares), color in zip(adam.items(), viz.COLORS, strict=False):
    top = shares.mean(dim=0).max()
    size = torch.tensor(FACTORS) ** depth
    axes[0].plot(size, shares.mean(dim=0) / top, ".-", color=color, label=f"{depth}")
axes[0].set(xscale="log", xlim=(1e-6, 1e6), ylim=(0, 1.05))
axes[0].set(xlabel="factor to the power of the depth", ylabel="relative to the best")
axes[0].legend(title="layers", loc="lower left")
styles = {"Adam": (adam[10], viz.ORANGE), "SGD": (sgd, viz.PURPLE)}
for name, (shares, color) in styles.items():
    axes[1].plot(FACTORS, shares.mean(dim=0), color=color, label=name)
    axes[1].plot(FACTORS, shares.T, ".", color=color, alpha=0.6)
axes[1].set(xscale="log", xlabel="factor, ten layers", ylim=(0, 1))
axes[1].set_xticks([0.25, 0.5, 1, 2, 4], ["0.25", "0.5", "1", "2", "4"])
axes[1].set_ylabel("share right")
axes[1].legend()
axes[1].minorticks_off()

# %%
# The verdict
# -----------
# Depth makes the rule matter. At three layers half of its value is as good, at thirty
# it stands alone. And thirty plain layers remain poor at their best: the right size is
# necessary, not sufficient.

means = {depth: shares.mean(dim=0) for depth, shares in adam.items()}
wide = {depth: int((m > 0.8 * m.max()).sum()) for depth, m in means.items()}
print("factors within 80 % of the best, by depth:", wide)
at = {k: i for i, k in enumerate(FACTORS)}
assert wide[3] > wide[10] > wide[30]
assert means[3][at[0.25]] > 0.95 * means[3].max()
assert means[30][at[0.8]] < 0.85 * means[30].max()
assert means[30][at[1.25]] < 0.7 * means[30].max()
assert FACTORS[int(means[30].argmax())] in (0.9, 1, 1.1)
assert means[30].max() < means[10].max() - 0.15
for depth, small, large in ((10, 0.5, 2), (30, 0.8, 1.25)):
    relative = means[depth] / means[depth].max()
    assert relative[at[large]] < 0.6 < relative[at[small]] + 0.15
assert means[10][at[0.5]] > sgd.mean(dim=0)[at[0.5]] + 0.2

# %%
# To vary: the bend (and with it the rule), a norm in each layer, the optimizer.
