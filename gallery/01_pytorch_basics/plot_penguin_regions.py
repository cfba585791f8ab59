"""
How a model divides penguins
============================

A classifier of two measurements divides a plane, so we can see all that it has
learned. We train a linear model and one with a hidden layer on the bill and the
flipper of penguins, with and without standardised inputs. Scaling matters most:
on raw millimetres gradient descent makes neither of them good in the time given,
with any of four learning rates. The hidden layer hardly matters: its bent borders
win next to nothing on birds that it has not seen. And the raw inputs are innocent:
from them another optimizer finds borders as good as any.
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
# Does the result hang on the birds that happen to be in the test set? We split
# them five times and train all four models on each split.

KINDS = {
    "linear, raw": {"hidden": False, "scaled": False},
    "hidden layer, raw": {"hidden": True, "scaled": False},
    "linear, scaled": {"hidden": False, "scaled": True},
    "hidden layer, scaled": {"hidden": True, "scaled": True},
}
models, scores = {}, {name: [] for name in KINDS}
for seed in range(5):
    x, y, x_test, y_test = load(seed)
    for name, kind in KINDS.items():
        loss, lr, models[name, seed] = train(x, y, seed=seed, **kind)
        scores[name].append(accuracy(models[name, seed], x_test, y_test))

for name, values in scores.items():
    print(f"{name:21}", *(f"{v:.3f}" for v in values))

# %%
# The regions of the first split, with the training birds:

x, y, x_test, y_test = load(seed=0)
# sphinx_gallery_alt = "Four scatter plots of flipper length against bill length in which three groups of penguins can be seen, with the plane shaded by the predicted species. On raw inputs, above, slanted stripes run through the groups and match none of them well. On scaled inputs, below, each group lies in its own region; the two pictures are nearly alike, the linear model with straight borders and the hidden layer with slightly bent ones."
fig, axes = plt.subplots(2, 2, figsize=(7.2, 5.4), sharex=True, sharey=True)
fig.supxlabel("bill length (mm)", fontsize=10)
fig.supylabel("flipper length (mm)", fontsize=10)
for species, place in [("Adelie", (31, 205)), ("Gentoo", (39, 226))]:
    axes[1, 0].text(*place, species, color=viz.INK)
axes[1, 0].text(53.5, 197, "Chinstrap", color=viz.INK)
for ax, name in zip(axes.flat, KINDS, strict=True):
    viz.decision_regions(ax, models[name, 0], x, y, margin=3)
    label = f"{name}\n{scores[name][0]:.2f} of test birds right"
    ax.text(61.5, 173, label, ha="right", va="bottom", fontsize=8)

# %%
# Below, the bent borders of the hidden layer follow the straight ones closely.
# Above left, all borders point to one place far outside of the picture: the
# origin, a penguin with no bill and no flipper. Only the biases could move the
# borders away from there. A step that is short enough for inputs near two hundred
# hardly moves a bias, whose input is one.

layer = models["linear, raw", 0][-1]
w, b = layer.weight.detach(), layer.bias.detach()  # (3, 2), (3,)
for i, j in [(0, 1), (0, 2), (1, 2)]:
    distance = (b[i] - b[j]).abs() / (w[i] - w[j]).norm()
    print(f"border {i} to {j}: {distance:.1f} mm from the origin")
    assert distance < 20

# %%
# Are raw inputs to blame?
# ------------------------
# A linear model of raw inputs can draw any border that one of scaled inputs can
# draw: the scaling is itself linear, so the weights can undo it. What differs is
# the valley that gradient descent has to walk down. Its narrowness is the
# condition number of the inputs, and the number of steps grows roughly with its
# square. L-BFGS, an optimizer that estimates the valley's curvature, does not
# mind.

ones = torch.ones(len(x), 1)
raw_condition = torch.linalg.cond(torch.cat([x, ones], dim=1)).item()
scaled = torch.cat([Standardize(x)(x), ones], dim=1)
scaled_condition = torch.linalg.cond(scaled).item()
print(f"condition: raw {raw_condition:.0f}, scaled {scaled_condition:.1f}")


def minimize(model, x, y):
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=300, line_search_fn="strong_wolfe"
    )

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)


scores["linear, raw, L-BFGS"] = []
for seed in range(5):
    x, y, x_test, y_test = load(seed)
    model = make_model(x, hidden=False, scaled=False, seed=seed)
    minimize(model, x, y)
    scores["linear, raw, L-BFGS"].append(accuracy(model, x_test, y_test))

# %%
# All five together, in blue those that descend on scaled inputs:

# sphinx_gallery_alt = "Dot chart of the test accuracy on five splits for five models. The linear model on raw inputs scatters between 0.2 and 0.65, the one with a hidden layer on raw inputs around 0.7. The three others, linear and hidden layer on scaled inputs and linear on raw inputs trained by L-BFGS, all lie between 0.92 and 0.99."
fig, ax = plt.subplots(figsize=(6.4, 2.4))
for row, (name, values) in enumerate(scores.items()):
    color = viz.BLUE if "scaled" in name else viz.ORANGE
    ax.plot(values, [row] * len(values), "o", color=color, alpha=0.7)
ax.set_yticks(range(len(scores)), list(scores))
ax.set_ylim(len(scores) - 0.5, -0.5)
ax.set_xlabel("test accuracy, five splits")

mean = {name: sum(values) / 5 for name, values in scores.items()}
assert mean["linear, scaled"] > 0.92
assert mean["linear, raw, L-BFGS"] > 0.92
assert abs(mean["hidden layer, scaled"] - mean["linear, scaled"]) < 0.03
assert mean["linear, raw"] < 0.7 and mean["hidden layer, raw"] < 0.85
assert raw_condition > 100 * scaled_condition

# %%
# So scaling changes how fast we find the borders, not which ones there are, and
# on these two measurements three straight lines are enough. To vary: two other
# columns, bill length and depth say, or a hundred times as many steps on raw
# inputs.
