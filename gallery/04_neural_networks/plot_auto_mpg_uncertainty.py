"""
How sure is the network?
========================

A network predicts how many miles a car runs on a gallon, with an interval that
should hold the truth nine times in ten. Can we believe it? The predictions are much
closer than a linear model's in each of eight splits, and stay so however long we
train. The intervals do not. They shrink as the training errors do, until they miss
almost every second car. An ensemble of five mends part of that. Sixty-three cars,
held back, mend the rest, if they also say when to stop; else honest intervals come
out as wide as the line's.
"""

import itertools
import math

import matplotlib.pyplot as plt
import torch

from tenphases import data, viz

viz.use_style()
torch.set_num_threads(1)  # the tensors are small
SPLITS, MEMBERS, STEPS, LEVEL = 8, 5, 400, 0.9

# %%
# Eight splits
# ------------
# One split of 392 cars is a matter of luck, so we take eight and keep them side by
# side in one tensor. Each has 250 cars to train on, 63 held back for later, and 79
# for the test. Columns are standardised with the training cars' mean and spread.

sets = [data.auto_mpg(seed=s) for s in range(SPLITS)]
x = torch.stack([torch.cat([d.train.tensors[0], d.test.tensors[0]]) for d in sets])
y = torch.stack([torch.cat([d.train.tensors[1], d.test.tensors[1]]) for d in sets])
x = (x - x[:, :250].mean(1, keepdim=True)) / x[:, :250].std(1, keepdim=True)
TRAIN, HELD, TEST = slice(250), slice(250, 313), slice(313, None)
print("inputs", tuple(x.shape), "targets", tuple(y.shape))

# %%
# The baseline
# ------------
# A linear model with one error for all cars: the standard deviation of its
# residuals. All methods return a mean and a standard deviation for each car,
# shape ``(8, 392, 1)``, in miles per gallon. Of the three columns for the origin we
# leave one out, since they add up to one.


def linear():
    one = torch.cat([x[..., :8], torch.ones_like(y)], dim=-1)  # (8, 392, 9)
    w = torch.linalg.lstsq(one[:, TRAIN], y[:, TRAIN]).solution
    residuals = (y - one @ w)[:, TRAIN]
    sigma = (residuals.square().sum(1, keepdim=True) / (250 - 9)).sqrt()
    return one @ w, sigma.expand_as(y)


def mae(mean):  # one number for each split, (8,)
    return (y - mean)[:, TEST].abs().mean(dim=(1, 2))


def coverage(mean, sigma, z=1.645):  # 1.645: a normal's 90 per cent
    inside = (y - mean).abs() <= z * sigma
    return inside[:, TEST].float().mean(dim=(1, 2))


line = linear()
print(f"linear: mean absolute error {mae(line[0]).mean():.2f} mpg, 90 % intervals")
print(f"hold {coverage(*line).mean():.1%} of the test cars")

# %%
# Forty networks at once
# ----------------------
# Each network has two outputs, :math:`\mu` and :math:`\log \sigma^2`, and is fitted
# by maximum likelihood, that is, it minimises the mean of
#
# .. math:: \tfrac{1}{2} \log \sigma^2 + \frac{(y - \mu)^2}{2 \sigma^2} .
#
# Whoever is wrong pays less by admitting a large :math:`\sigma`, and who is right
# saves by claiming a small one. Five networks for each split differ by their random
# start. One more axis in front holds all forty, and ``baddbmm`` is a linear layer
# for each of them. The losses are summed, so that nobody sees anybody else's
# gradient.


def layers(x, weights, biases):
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        x = torch.baddbmm(b, x.relu() if i else x, w)
    return x.unbind(-1)  # mu and log variance, (40, N) each


# %%
# Every 20 steps we note what the networks say about all cars.


def train(widths=(9, 32, 32, 2), seed=0):
    torch.manual_seed(seed)
    weights, biases = [], []
    for a, b in itertools.pairwise(widths):
        weights.append(torch.randn(SPLITS * MEMBERS, a, b) * math.sqrt(2 / a))
        biases.append(torch.zeros(SPLITS * MEMBERS, 1, b))
    weights[-1] *= 0.1  # begin close to mu = 0, sigma = 1
    params = [p.requires_grad_() for p in (*weights, *biases)]
    optimizer = torch.optim.AdamW(params, lr=5e-3, weight_decay=0.01)
    inputs = x.repeat_interleave(MEMBERS, dim=0)  # (40, 392, 9)
    mean, std = y[:, TRAIN].mean(1, keepdim=True), y[:, TRAIN].std(1, keepdim=True)
    targets = ((y - mean) / std).repeat_interleave(MEMBERS, dim=0)[..., 0]
    seen = {}
    for step in range(1, STEPS + 1):
        mu, log_var = layers(inputs[:, TRAIN], weights, biases)
        errors = (targets[:, TRAIN] - mu).square()
        loss = 0.5 * (log_var + errors * (-log_var).exp()).mean(dim=1).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 20 == 0:
            with torch.no_grad():
                mu, log_var = layers(inputs, weights, biases)
            mu, var = (t.reshape(SPLITS, MEMBERS, -1, 1) for t in (mu, log_var.exp()))
            seen[step] = mu * std[:, None] + mean[:, None], var * std[:, None] ** 2
    return seen  # step: (8, 5, 392, 1) twice


seen = train()

# %%
# A single network is the first of its five. The ensemble predicts the mean of the
# five; its variance is their mean variance plus the variance of their means, which
# is large where they disagree (Lakshminarayanan and others, 2017).


def single(step):
    mu, var = seen[step]
    return mu[:, 0], var[:, 0].sqrt()


def ensemble(step):
    mu, var = seen[step]
    return mu.mean(1), (var.mean(1) + mu.var(1, correction=0)).sqrt()


# %%
# What happens while they train
# -----------------------------
# Left the error of the prediction, right the share of test cars inside their 90 %
# interval. The bands show one standard deviation over the eight splits.

# sphinx_gallery_alt = "Two charts against the training step, 20 to 400. Left, mean absolute error: the linear model is flat near 2.7, the single network and the ensemble fall below 2 within 60 steps and stay there. Right, coverage: the linear model is flat near the dashed line at 0.9. The single network begins there and falls to about 0.55, the ensemble to about 0.75."
methods = {"linear": (lambda step: line, viz.GREY), "network": (single, viz.ORANGE)}
methods["ensemble"] = (ensemble, viz.BLUE)
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.0))
for name, (method, color) in methods.items():
    rows = [method(step) for step in seen]
    for ax, values in (
        (axes[0], torch.stack([mae(m) for m, _ in rows])),
        (axes[1], torch.stack([coverage(m, s) for m, s in rows])),
    ):
        centre, spread = values.mean(1), values.std(1)
        ax.plot(list(seen), centre, color=color, label=name)
        band = centre - spread, centre + spread
        ax.fill_between(list(seen), *band, color=color, alpha=0.15, linewidth=0)
axes[1].axhline(LEVEL, color=viz.MUTED, linestyle="--", linewidth=1)
axes[0].set(xlabel="step", ylabel="mean absolute error (mpg)", ylim=(1.2, 4))
axes[1].set(xlabel="step", ylabel="share inside the interval", ylim=(0.4, 1))
_ = axes[0].legend()

# %%
# The curves on the left would alarm nobody. But the likelihood rewards a small
# :math:`\sigma` wherever the *training* error is small, and 250 errors can be made
# small. A loss that grades its own uncertainty overfits that first.
#
# Mended with cars it has not seen
# --------------------------------
# The 63 cars held back know how wrong the intervals are. For each we compute
# :math:`|y - \mu| / \sigma`, and take as the new factor, in place of 1.645, the
# value that nine in ten of them stay below, rounded up as if one more car were to
# come. This is *split conformal prediction*. On average over splits it holds the
# promised share of new cars from the same source, whatever the network has done. The
# same cars can say when to stop: at the step where their own likelihood is largest.


def conformal(mean, sigma):
    z = ((y - mean).abs() / sigma)[:, HELD, 0].sort(dim=1).values  # (8, 63)
    rank = math.ceil(LEVEL * (z.shape[1] + 1))
    return z[:, rank - 1, None, None]


def surprise(mean, sigma):  # negative log-likelihood of the cars held back
    terms = sigma.log() + 0.5 * ((y - mean) / sigma).square()
    return terms[:, HELD].mean().item()


best = min(seen, key=lambda step: surprise(*ensemble(step)))
ends = {"linear": line, "network": single(STEPS), "ensemble": ensemble(STEPS)}
ends["stopped"] = ensemble(best)
print(f"the ensemble is stopped at step {best}")
print(f"{'':22}{'MAE (mpg)':>12}{'inside':>16}{'width (mpg)':>13}")
table = {}
for name, (m, s) in ends.items():
    for kind, z in (
        ("", torch.full((SPLITS, 1, 1), 1.645)),
        ("mended", conformal(m, s)),
    ):
        share, width = coverage(m, s, z), (2 * z * s)[:, TEST].mean()
        table[name, kind] = share.mean().item(), width.item()
        print(f"{name:12}{kind:10}{mae(m).mean():6.2f} ± {mae(m).std():.2f}", end="")
        print(f"{share.mean():10.3f} ± {share.std():.2f}{width:11.1f}")

# %%
# Who gets which interval
# -----------------------
# The test cars of the first split, in the order of the prediction. The linear model
# promises the same to all. The ensemble, stopped and mended, is narrow for thirsty
# cars and wide for economical ones, of which some are diesels.

# sphinx_gallery_alt = "Two charts of consumption in miles per gallon for 79 test cars in the order of the prediction, with a vertical bar for each interval. Left, the linear model: bars of equal length; the cars on the left and on the right lie mostly above the middle of their bars. Right, the stopped ensemble: short bars on the left that become longer to the right and follow the cars closely."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.0), sharey=True)
for ax, name in zip(axes, ("linear", "stopped"), strict=True):
    m, s = ends[name]
    half = (conformal(m, s) * s)[0, TEST, 0]
    centre, truth = m[0, TEST, 0], y[0, TEST, 0]
    order = centre.argsort()
    places, missed = torch.arange(len(order)), ((truth - centre).abs() > half)[order]
    ax.errorbar(places, centre[order], half[order], fmt="none", ecolor=viz.GREY)
    for rows, color, label in (
        (~missed, viz.BLUE, "inside"),
        (missed, viz.ORANGE, "missed"),
    ):
        ax.plot(places[rows], truth[order][rows], "o", color=color, label=label)
    ax.set_xlabel(f"test car, by prediction ({name})")
axes[0].set_ylabel("miles per gallon")
_ = axes[0].legend()

# %%
# Mending alone makes any method honest, at the price of width: after 400 steps the
# single network needs wider intervals than the line, because its :math:`\sigma` no
# longer knows which cars are hard. Stopped in time, the ensemble is honest *and*
# sharper.

late, early = single(STEPS), single(40)
assert (mae(late[0]) < mae(line[0]) - 0.2).all()
assert coverage(*late).mean() < 0.7 < coverage(*early).mean()
assert table["network", ""][0] + 0.08 < table["ensemble", ""][0] < 0.85
for name in ends:
    assert 0.83 < table[name, "mended"][0] < 0.97
widths = {name: table[name, "mended"][1] for name in ends}
assert widths["stopped"] < 0.9 * min(widths["linear"], widths["ensemble"])
assert widths["network"] > widths["linear"]

# %%
# To vary: the number of cars held back, the weight decay, or the moment to stop.
