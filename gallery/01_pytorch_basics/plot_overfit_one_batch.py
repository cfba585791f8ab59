"""
Which bugs does one batch reveal?
=================================

"Overfit one batch first" is common advice for debugging a network: train on a
handful of examples, and if the loss does not vanish, the program is broken.
Which bugs does that test really find? We plant fifteen, each by changing one
line of a clean program. The test sees whatever keeps the gradient from doing its
work, and even a mistake that costs no accuracy. It is blind to everything that is
wrong with the data or with the evaluation, and a forgotten ``zero_grad`` passes
with flying colours.
"""

import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from tenphases import data, viz

viz.use_style()
penguins = data.penguins(seed=0)
BIRDS = (*penguins.train.tensors, *penguins.test.tensors)

# %%
# The program
# -----------
# It tells the species of a penguin from four measurements. We keep it as a text,
# so that a bug can be planted by replacing one piece of it, and run the text with
# ``exec``. With ``few`` it trains on the first ``few`` birds alone, which is the
# test; otherwise on all of them, sixteen at a time.

PROGRAM = """
def program(x, y, x_test, y_test, *, seed, few=None, steps=300):
    torch.manual_seed(seed)
    mean, std = x.mean(dim=0), x.std(dim=0)
    x = (x - mean) / std
    x_test = (x_test - mean) / std
    order = torch.randperm(len(x))
    x, y = x[order], y[order]
    model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    losses = []
    for _ in range(steps):
        rows = slice(few) if few else torch.randint(len(x), (16,))
        logits = model(x[rows])
        loss = F.cross_entropy(logits, y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    predicted = model(x_test).argmax(dim=1)
    return losses, (predicted == y_test).float().mean().item()
"""

# %%
# The bugs
# --------
# Name, the text to replace, and its replacement. All of them run without an
# exception.

MODEL = "nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 3))"
ZERO, BACK = "        optimizer.zero_grad()\n", "        loss.backward()\n"
SCALE = "    mean, std ="
LEAK = "    x, y = torch.cat([x, x_test]), torch.cat([y, y_test])\n"
BUGS = {
    "raw inputs": ("x.mean(dim=0), x.std(dim=0)", "0, 1"),
    "softmax first": ("model(x[rows])", "model(x[rows]).softmax(dim=1)"),
    "old model": ("    losses = []", f"    model, losses = {MODEL}, []"),
    "zero_grad late": (ZERO + BACK, BACK + ZERO),
    "uphill": (BACK, "        (-loss).backward()\n"),
    "rate 500 x": ("lr=0.2", "lr=100"),
    "zero weights": (
        "    losses = []",
        "    losses = [nn.init.zeros_(p) for p in model.parameters()][:0]",
    ),
    "no zero_grad": (ZERO, ""),
    "labels apart": ("x, y = x[order], y[order]", "x, y = x[order], y"),
    "no ReLU": ("nn.ReLU(), ", ""),
    "first layer frozen": ("SGD(model.", "SGD(model[-1]."),
    "test birds raw": ("x_test = (x_test - mean) / std", "pass"),
    "columns swapped": ("(x_test - mean)", "(x_test.flip(1) - mean)"),
    "(N, 1) == (N,)": ("argmax(dim=1)", "argmax(dim=1, keepdim=True)"),
    "test birds leaked": (SCALE, LEAK + SCALE),
}


def plant(old, new):
    """Return the program with one piece of its text replaced."""
    assert PROGRAM.count(old) == 1, old
    namespace = {"torch": torch, "nn": nn, "F": F}
    exec(PROGRAM.replace(old, new), namespace)
    return namespace["program"]


# %%
# The test, and the truth
# -----------------------
# For each bug we train on eight birds, with three seeds, and call the bug
# *caught* if the loss is still above a tenth of :math:`\log 3`, the price of
# guessing, with any of them. Then we train on all birds, to see what the
# program would have reported about itself.

PASSED = 0.1 * math.log(3)


def run(program):
    tests = [program(*BIRDS, seed=seed, few=8)[0] for seed in range(3)]
    worst = max(tests, key=lambda losses: _last(losses))
    full = [program(*BIRDS, seed=seed)[1] for seed in range(3)]
    return worst, sum(full) / len(full)


def _last(losses):
    return losses[-1] if math.isfinite(losses[-1]) else math.inf


clean, clean_accuracy = run(plant("losses = []", "losses = []"))
results = {name: run(plant(*change)) for name, change in BUGS.items()}
caught = {name for name in BUGS if _last(results[name][0]) > PASSED}

print(f"{'':20}{'one batch':>10}{'':9}{'reported accuracy':>19}")
print(f"{'clean program':20}{clean[-1]:10.4f}{'':9}{clean_accuracy:19.3f}")
for name, (losses, accuracy) in results.items():
    last = f"{losses[-1]:.4f}" if math.isfinite(_last(losses)) else "exploded"
    verdict = "caught" if name in caught else "passed"
    print(f"{name:20}{last:>10}   {verdict:6}{accuracy:19.3f}")

# %%
# What does the test see? In orange the bugs that it catches, in blue those
# that pass, in grey the clean program.

# sphinx_gallery_alt = "Fifteen small charts of the loss on one batch over 300 steps, on a logarithmic axis, each with the falling curve of the clean program in grey. In the first seven, in orange, the curve stays high or leaves the chart: raw inputs, softmax first, old model, zero_grad late, uphill, learning rate 500 times too large, zero weights. In the other eight, in blue, it falls like the grey one or faster: no zero_grad, labels apart, no ReLU, first layer frozen, test birds raw, columns swapped, comparison of (N, 1) with (N,), test birds leaked."
fig, axes = plt.subplots(3, 5, figsize=(7.2, 4.4), sharex=True, sharey=True)
fig.supxlabel("step", fontsize=10)
fig.supylabel("loss on eight birds (nats)", fontsize=10)
for ax, name in zip(axes.flat, BUGS, strict=True):
    losses = results[name][0]
    color = viz.ORANGE if name in caught else viz.BLUE
    ax.plot(clean, color=viz.GREY, linewidth=1)
    ax.plot([v if v < 1e3 else math.nan for v in losses], color=color)
    ax.text(300, 30, name, ha="right", va="top", fontsize=8)
    ax.set(yscale="log", ylim=(1e-4, 50), xticks=[0, 150, 300])

# %%
# The verdict
# -----------
# The test has one question: can this loop drive this loss to zero? So it finds
# what breaks the way from the loss to the weights. It finds the softmax before
# the cross-entropy although the accuracy does not suffer, because the loss has
# a floor. But eight wrong labels are learned by heart as readily as right ones,
# nothing that is wrong with the *test* birds is in the batch, and the leak even
# flatters the program. The forgotten ``zero_grad`` is the surprise. On one batch
# the sum of all past gradients points the same way as the new one, and it only
# speeds the descent up.

blind = {"no zero_grad", "labels apart", "test birds raw", "columns swapped"}
blind |= {"(N, 1) == (N,)", "test birds leaked", "no ReLU"}
blind |= {"first layer frozen"}
assert caught == set(BUGS) - blind
assert _last(results["no zero_grad"][0]) < clean[-1]
assert results["softmax first"][1] > 0.95
harmful = ("labels apart", "test birds raw", "columns swapped")
for name in (*harmful, "(N, 1) == (N,)"):
    assert results[name][1] < clean_accuracy - 0.15
print(f"{len(caught)} caught, {len(BUGS) - len(caught)} passed unnoticed")

# %%
# To vary: the size of the batch, and a bug of your own. The tests that see the
# rest are in the chapter :ref:`workflow-debugging`.
