"""
Handwritten digits, end to end
==============================

How well can a small network learn to read digits from four thousand examples
in seconds on a CPU? Softmax regression, a multilayer perceptron and a
convolutional network learn from the same images, with and without random
distortions. The distortions help the perceptron most, but even with them it
stays far behind the plain convolutional network, which has a third of its
parameters. We choose on one part of the data, open the test set once, look at
the worst mistakes and save the weights.
"""

import json
import os

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

from tenphases import artifact, budget, data, get_device, set_seed, viz
from tenphases.models.convnets import DigitNet
from tenphases.models.mlp import mlp
from tenphases.training import accuracy, evaluate, fit

viz.use_style()
device = get_device()
SEED = int(os.environ.get("SEED", 0))

# %%
# A split for choosing
# --------------------
#
# A network, a learning rate, a number of epochs, distortions or none: each of
# these is a choice, and whoever chooses by the test set has trained on it by
# hand. So we choose without it. Five hundred of the training images teach, and
# the others judge. The usual split is the other way round. But good candidates
# that are judged by five hundred images differ by one or two of them, which is
# chance; and candidates that have learned from few images differ more.

digits = data.mnist()
print(digits)
images, targets = digits.train.tensors
teach = TensorDataset(images[:500], targets[:500])
judge = TensorDataset(images[500:4000], targets[500:4000])

# %%
# Distortions that keep the digit
# -------------------------------
#
# A 7 that leans, or stands a little to the left, is still a 7. We can tell the
# network so by showing each image a little different every time. An affine map
# is a 2×3 matrix: ``affine_grid`` computes for every pixel of the result where
# to look in the original, and ``grid_sample`` looks there. Both take a whole
# batch, with a matrix of its own for every image, on whatever device it is.


def distort(images):
    """Turn, stretch and shift each image (N, 1, H, W) by its own amount."""

    def up_to(limit):
        noise = torch.rand(len(images), device=images.device)
        return limit * (2 * noise - 1)

    angle = up_to(0.21)  # radians, 12 degrees
    wide, high = 1 + up_to(0.12), 1 + up_to(0.12)
    across, down = up_to(0.12), up_to(0.12)  # of half the image's side
    cos, sin = angle.cos(), angle.sin()
    first = torch.stack([wide * cos, -high * sin, across], dim=1)
    second = torch.stack([wide * sin, high * cos, down], dim=1)
    matrices = torch.stack([first, second], dim=1)  # (N, 2, 3)
    grid = F.affine_grid(matrices, images.shape, align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def unchanged(images):
    return images


set_seed(SEED)
rows = [images[i : i + 1] for i in (0, 1)]
rows = [torch.cat([row, distort(row.repeat(7, 1, 1, 1))]) for row in rows]
# sphinx_gallery_alt = "Two rows of eight images. Each row starts with a handwritten digit of the training set; the seven images after it show the same digit a little turned, stretched and shifted, all easily read."
fig = viz.image_grid(torch.cat(rows))

# %%
# First in each row is the digit as it was written, then seven distortions of
# it. Look at yours before you train: a digit turned by half a circle may be a
# different digit.
#
# One recipe for all
# ------------------
#
# AdamW, a learning rate that rises and falls once, and smoothed labels, which
# keep the network from chasing the last bit of certainty. ``distort`` stands in
# the loss function, so it acts in training and never in evaluation.


def train(build, dataset, epochs, change):
    set_seed(SEED)
    model = build().to(device)
    loader = DataLoader(dataset, 32, shuffle=True, drop_last=True)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.01, total_steps=epochs * len(loader)
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)

    def loss_fn(model, batch):
        images, targets = batch
        return criterion(model(change(images)), targets)

    fit(model, loader, loss_fn, optimizer, epochs=epochs, scheduler=scheduler)
    return model


def score(model, dataset):
    batches = DataLoader(dataset, 500)
    return evaluate(model, batches, {"accuracy": accuracy})["accuracy"]


builders = {
    "softmax regression": lambda: nn.Sequential(nn.Flatten(), mlp(784, 10)),
    "MLP": lambda: nn.Sequential(nn.Flatten(), mlp(784, 256, 10)),
    "CNN": DigitNet,
}
epochs = budget(cpu=30, gpu=30)
sizes, plain, distorted = {}, {}, {}
print(f"{'':20}{'parameters':>10}{'plain':>9}{'distorted':>11}")
for name, build in builders.items():
    sizes[name] = sum(p.numel() for p in build().parameters())
    plain[name] = score(train(build, teach, epochs, unchanged), judge)
    distorted[name] = score(train(build, teach, epochs, distort), judge)
    row = f"{plain[name]:9.3f}{distorted[name]:11.3f}"
    print(f"{name:20}{sizes[name]:10,}{row}")

# %%
# Which network, and do distortions help?

# sphinx_gallery_alt = "PLACEHOLDER"
fig, ax = plt.subplots()
x = list(sizes.values())
ax.vlines(x, plain.values(), distorted.values(), color=viz.MUTED)
ax.plot(x, plain.values(), "o", color=viz.ORANGE, label="plain")
ax.plot(x, distorted.values(), "o", color=viz.BLUE, label="distorted")
for name in builders:
    where = (sizes[name], plain[name])
    ax.annotate(name, where, (8, -4), textcoords="offset points")
ax.set(xscale="log", xlim=(5e3, 6e5), xlabel="parameters", ylabel="accuracy")
ax.legend(loc="lower right")

assert plain["CNN"] > distorted["MLP"] > plain["MLP"] + 0.01
assert distorted["CNN"] > plain["CNN"]

# %%
# Parameters do not buy accuracy by themselves. The perceptron has most of
# them and must learn every stroke anew for every place where it may stand;
# distortions show it many of those places, and so it gains most from them. The
# convolutional network uses each filter everywhere, so it knew much of this
# before it began. What is left for distortions to teach it is little, but at
# this level little is a good share of the remaining mistakes:

saved = (distorted["CNN"] - plain["CNN"]) * len(judge)
wrong = (1 - plain["CNN"]) * len(judge)
print(f"distortions mend {saved:.0f} of the plain CNN's {wrong:.0f} mistakes")

# %%
# The test set, once
# ------------------
#
# The choice is made: the CNN, with distortions. Now it may learn from all the
# training images. The thousand test images have seen none of the above, so
# what they say is an estimate of what a stranger's digits would say, and like
# every estimate from a thousand cases it has an interval.

# The lowest and the highest accuracy over ten seeds, on the CPU, measured by
# for seed in $(seq 0 9); do SEED=$seed python plot_mnist_cnn.py; done
SEEDS_0_TO_9 = (0.985, 0.991)

arguments = {"classes": 10, "width": 16}
epochs = budget(cpu=8, gpu=20)
network = train(lambda: DigitNet(**arguments), digits.train, epochs, distort)

images, targets = digits.test.tensors
network.eval()  # batch norm: the averages of training, not of this batch
with torch.no_grad():
    parts = [network(part.to(device)).cpu() for part in images.split(500)]
logits = torch.cat(parts)  # (N, 10)
result = accuracy(logits, targets).item()
half = 1.96 * (result * (1 - result) / len(targets)) ** 0.5
low, high = SEEDS_0_TO_9
print(f"test accuracy {result:.3f}, give or take {half:.3f}")
print(f"on the bundled images, ten seeds on a CPU gave {low} to {high}")
assert result >= 0.98

# %%
# The two lines answer different questions. The interval says how far another
# thousand images might move the number. The seeds say how far other initial
# weights, another order and other distortions move it on the same images. A
# recipe that is better by less than either has not been shown to be better.
#
# Which digits does it confuse?
# -----------------------------

guesses = logits.argmax(dim=1)
counts = torch.bincount(10 * targets + guesses, minlength=100).view(10, 10)
# sphinx_gallery_alt = "PLACEHOLDER"
fig, ax = plt.subplots(figsize=(4.8, 4.4))
viz.confusion_matrix(ax, counts, digits.classes)

# %%
# The mistakes are few and scattered: no pair of digits stands out enough to
# suggest a remedy. In a larger test set, 4 and 9, and 7 and 2, are the usual
# suspects. With so few it says more to look at them. Here are the worst, those to
# whose true class the network gave the least probability, with the
# probability that it gave to its wrong answer.

mistakes = (guesses != targets).nonzero().squeeze(1)
probabilities = logits.softmax(dim=1)
right = probabilities[mistakes, targets[mistakes]]
worst = mistakes[right.argsort()[:8]]
titles = [
    f"{targets[i]} as {guesses[i]}, {probabilities[i].max():.2f}" for i in worst
]
# sphinx_gallery_alt = "PLACEHOLDER"
fig = viz.image_grid(images[worst], titles, columns=4, cell=1.1)

# %%
# Some of these would puzzle a person too. 
#
# The file for the next program
# -----------------------------
#
# A state dict holds numbers and their names, and no program. Whoever loads it
# must build the same network and feed it the same kind of image, and neither
# can be read off the numbers. So we leave a card beside it.

torch.save(network.to("cpu").state_dict(), artifact("mnist_cnn.pt"))
card = {
    "model": "tenphases.models.convnets.DigitNet",
    "arguments": arguments,
    "classes": "".join(digits.classes),
    "input": "(N, 1, 28, 28) float32, paper 0, ink 1, ink's centre in the middle",
    "data": digits.source.name,
    "test_accuracy": result,
}
artifact("mnist_cnn.json").write_text(json.dumps(card, indent=2))
for key, value in card.items():
    print(f"{key:15}{value}")

# %%
# The next page, :ref:`sphx_glr_examples_10_projects_plot_mnist_load.py`, builds
# the network from that card and reads telephone numbers with it. **To vary:**
# double the limits in ``distort``, or let it mirror the digits, and let the
# three thousand judge.
