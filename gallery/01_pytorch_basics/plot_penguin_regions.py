"""
How a model divides penguins
============================

A classifier of two measurements divides a plane, so we can see all that it has
learned. We train a linear model and one with a hidden layer on the bill and the
flipper of penguins, with and without standardised inputs. Scaling matters most:
on raw millimetres neither model becomes good in the time given, whatever the
learning rate. The hidden layer hardly matters: its curved borders win next to
nothing on birds that it has not seen. And raw inputs are not hopeless: another
optimizer finds the same straight borders from them.
"""

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from tenphases import data, viz

viz.use_style()
COLUMNS = [0, 2]  # bill length and flipper length, both in mm
STEPS = 300


def load(seed):
    penguins = data.penguins(seed=seed)  # another split for every seed
    (x, y), (x_test, y_test) = penguins.train.tensors, penguins.test.tensors
    return x[:, COLUMNS], y, x_test[:, COLUMNS], y_test


# %%
# Two models, two scales
# ----------------------
# The scaling is the model's first layer. So every model takes millimetres, and
# the regions can all be drawn in the same plane.


class Standardize(nn.Module):
    def __init__(self, x):
        super().__init__()
        self.register_buffer("mean", x.mean(dim=0))  # (2,), training birds
        self.register_buffer("std", x.std(dim=0))

    def forward(self, x):
        return (x - self.mean) / self.std


def make_model(x, *, hidden, scaled, seed):
    torch.manual_seed(seed)
    layers = [Standardize(x)] if scaled else []
    if hidden:
        layers += [nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 3)]
    else:
        layers += [nn.Linear(2, 3)]
    return nn.Sequential(*layers)


# %%
# Training
# --------
# Plain gradient descent on all training birds at once. One learning rate will
# do for scaled inputs. Raw inputs get a fair chance: four rates, from which we
# keep the one with the lowest training loss.

RATES = {True: [0.5], False: [0.003, 0.001, 0.0003, 0.0001]}


def descend(model, x, y, lr):
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    for _ in range(STEPS):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return F.cross_entropy(model(x), y).item()


def train(x, y, *, hidden, scaled, seed):
    trained = []
    for lr in RATES[scaled]:
        model = make_model(x, hidden=hidden, scaled=scaled, seed=seed)
        trained.append((descend(model, x, y, lr), lr, model))
    return min(trained, key=lambda result: result[0])


def accuracy(model, x, y):
    return (model(x).argmax(dim=1) == y).float().mean().item()


# %%
# What does each of them make of the plane? The points are the training birds.

x, y, x_test, y_test = load(seed=0)
PANELS = {
    "linear, raw": {"hidden": False, "scaled": False},
    "hidden layer, raw": {"hidden": True, "scaled": False},
    "linear, scaled": {"hidden": False, "scaled": True},
    "hidden layer, scaled": {"hidden": True, "scaled": True},
}
# sphinx_gallery_alt = "Four scatter plots of flipper length against bill length, with the plane shaded by predicted species. On raw inputs the borders miss the three groups of birds: one of the species gets hardly any region where its birds are. On scaled inputs each group lies in its own region; the linear model draws straight borders and the hidden layer slightly bent ones."
fig, axes = plt.subplots(2, 2, figsize=(7.2, 5.6), sharex=True, sharey=True)
for ax, (name, kind) in zip(axes.flat, PANELS.items(), strict=True):
    loss, lr, model = train(x, y, seed=0, **kind)
    viz.decision_regions(ax, model, x, y, margin=3)
    right = accuracy(model, x_test, y_test)
    ax.set_xlabel(f"{name}: {right:.2f} of the test birds right")
    print(f"{name:21} rate {lr:<7g} training loss {loss:.3f} test {right:.3f}")
fig.supxlabel("bill length (mm)", fontsize=10)
fig.supylabel("flipper length (mm)", fontsize=10);
