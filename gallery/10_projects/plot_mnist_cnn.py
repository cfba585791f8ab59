"""
Handwritten digits, end to end
==============================

How well can a small network learn to read digits from four thousand examples,
in seconds on a CPU? Softmax regression, a multilayer perceptron and a
convolutional network learn from the same images, with and without random
distortions. Distortions help the perceptron most, and even with them it stays
behind the plain convolutional network, which has about a third of its
parameters. We choose on one part of the data, open the test set once, look at
the worst mistakes and save the weights for the next page.
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
SEED = int(os.environ.get("SEED", 0))  # SEED=1 python plot_mnist_cnn.py

# %%
# A split for choosing
# --------------------
#
# A network, a learning rate, a number of epochs, distortions or none: each of
# these is a choice, and whoever chooses by the test set has trained on it by
# hand. So we choose without it. Five hundred of the training images teach, and
# the others judge. The usual split is the other way round. But among five
# hundred judges, two good candidates would differ by an image or two, which is
# chance, and candidates that have learned from fewer images differ more. The
# learning rate, the batch size and the limits of the distortions below were
# chosen like this too, on parts of the training images.

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
# sphinx_gallery_alt = "Two rows of eight images. Each row starts with a handwritten digit of the training set, a 6 and a 9; the seven images after it show the same digit a little turned, stretched and shifted, all easily read."
fig = viz.image_grid(torch.cat(rows))

# %%
# First in each row is the digit as it was written, then seven distortions of
# it. Look at yours before you train: a 6 that is turned too far is a 9.
#
# One recipe for all
# ------------------
#
# AdamW, a learning rate that rises and falls once, and smoothed labels, which
# keep the network from chasing the last bit of certainty. ``distort`` stands in
# the loss function, so it acts in training and never in evaluation, and every
# epoch sees new distortions.


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


# %%
# Three networks, each twice. The same seed gives both runs of a network the same
# initial weights.

builders = {
    "softmax regression": lambda: nn.Sequential(nn.Flatten(), mlp(784, 10)),
    "MLP": lambda: nn.Sequential(nn.Flatten(), mlp(784, 256, 10)),
    "CNN": DigitNet,
}
epochs = 30
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

# sphinx_gallery_alt = "Accuracy on the judging images against the number of parameters on a logarithmic axis, a plain and a distorted point for each model, joined by a line. Softmax regression, with the fewest parameters, lies lowest. The MLP, with the most, lies in the middle and rises furthest with distortions. The CNN lies on top, and even its plain point is above the MLP's distorted one."
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

gain = {name: distorted[name] - plain[name] for name in builders}
assert gain["MLP"] > gain["softmax regression"] > gain["CNN"] > 0
assert plain["CNN"] > distorted["MLP"] + 0.01

# %%
# Parameters do not buy accuracy by themselves. The perceptron has most of them,
# and must learn each stroke anew for every place where it may stand. Distortions
# show it more of those places, so they help it most. The convolutional network
# moves one filter over all places, so it knew much of this before it began. Its
# gain looks small. Count the mistakes, of which few were left to mend:

mended = gain["CNN"] * len(judge)
wrong = (1 - plain["CNN"]) * len(judge)
print(f"distortions mend {mended:.0f} of {wrong:.0f} mistakes of the CNN")

# %%
# The test set, once
# ------------------
#
# The choice is made: the CNN, with distortions. Now it may learn from all the
# training images, in fewer epochs, since each is longer. The test images had no
# part in any of this, so their verdict is an honest estimate for digits like
# these. Like every estimate from so many cases it has an interval.

# lowest and highest test accuracy on a CPU, torch 2.15, measured by
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
# The two lines answer different questions. The interval says how far another set
# of test images might move the number. The seeds say how far other initial
# weights, another order and other distortions move it on the same images. A
# recipe that is better by less than that has not been shown to be better.
#
# Which digits does it confuse?
# -----------------------------

guesses = logits.argmax(dim=1)
counts = torch.bincount(10 * targets + guesses, minlength=100).view(10, 10)
# sphinx_gallery_alt = "Confusion matrix of ten digits. Nearly all counts stand on the diagonal, close to a hundred each; the few others are scattered, one or two in a cell."
fig, ax = plt.subplots(figsize=(4.8, 4.4))
viz.confusion_matrix(ax, counts, digits.classes)

mistakes = (guesses != targets).nonzero().squeeze(1)
assert counts.fill_diagonal_(0).max() < max(6, 0.01 * len(targets))

# %%
# The mistakes are few and scattered: no pair of digits stands out enough to
# suggest a remedy. So we look at them, worst first: those to whose true class
# the network gave the least probability. Above each stand the true class, the
# answer, and how sure the network was of it.

probabilities = logits.softmax(dim=1)
right = probabilities[mistakes, targets[mistakes]]
worst = mistakes[right.argsort()[:8]]
titles = [
    f"{targets[i]} as {guesses[i]}, {probabilities[i, guesses[i]]:.2f}"
    for i in worst.tolist()
]
# sphinx_gallery_thumbnail_number = 4
# sphinx_gallery_alt = "Eight misread handwritten digits in two rows, each titled with its true class, the answer and its probability. Among them are a 7 with a foot that looks like a 2, a 3 that looks like a 5, and a slanted, filled-in 0."
fig = viz.image_grid(images[worst], titles, columns=4, cell=1.1)

# %%
# Cover the titles and read them yourself. Where you hesitate too, the image has
# lost what would decide, and no network will find it there.
#
# The file for the next program
# -----------------------------
#
# A state dict holds numbers and their names, and no program. Whoever loads it
# must build the same network and feed it the same kind of image, and neither
# can be read off the numbers. So we leave a card beside it. The weights are
# saved from the CPU, so that a machine without a GPU can load them.

torch.save(network.to("cpu").state_dict(), artifact("mnist_cnn.pt"))
card = {
    "model": "tenphases.models.convnets.DigitNet",
    "arguments": arguments,
    "classes": "".join(digits.classes),
    "input": "(N, 1, 28, 28) float32, paper 0, ink 1, ink centred",
    "data": digits.source.name,
    "test_accuracy": round(result, 4),
}
artifact("mnist_cnn.json").write_text(json.dumps(card, indent=2))
for key, value in card.items():
    print(f"{key:15}{value}")

# %%
# The next page, :ref:`sphx_glr_examples_10_projects_plot_mnist_load.py`, builds
# the network from that card and reads telephone numbers with it. **To vary:**
# double the limits in ``distort``, or let it mirror the digits, and ask the
# judging images.
