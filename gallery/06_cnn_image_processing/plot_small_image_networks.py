"""
What does accuracy cost?
========================

LeNet, a small VGG and ResNet-20 learn the same 32 × 32 colour pictures. Which gives
most for its cost? After equally many pictures, the two deeper networks are far ahead
of LeNet. But what one picture costs ResNet-20 buys LeNet more than fifty. For equally
many multiplications, in seconds on a CPU, the order turns round: LeNet wins by a wide
margin and ResNet-20 is last, because it has taken the fewest steps. Depth may pay
later. A small budget does not get there: at its low end, the deeper two lose to a
softmax regression on colour statistics.
"""

import time

import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import LogLocator
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from tenphases import benchmarks, budget, data, get_device, set_seed, viz
from tenphases.models.convnets import conv_block
from tenphases.models.resnet import ResNetCIFAR

viz.use_style()
SEED, BATCH, CLASSES = 0, 32, 10
device = get_device()
bundled = data.profile() == "bundled"

# %%
# The pictures
# ------------
# With ``TENPHASES_DATA=full`` they are CIFAR-10's: ten kinds of things. Without,
# they are windows on ten photographs, and the class is the photograph, a matter of
# colour and texture. Channels are standardised with the training set's mean and
# spread.

pictures = data.photo_patches(SEED) if bundled else data.cifar10()
print(pictures)
(x, y), (x_test, y_test) = (
    [t.to(device) for t in part.tensors] for part in (pictures.train, pictures.test)
)
mean = x.mean(dim=(0, 2, 3), keepdim=True)
std = x.std(dim=(0, 2, 3), keepdim=True)
x, x_test = (x - mean) / std, (x_test - mean) / std

# %%
# The baseline
# ------------
# Six numbers a picture: mean and standard deviation of red, green and blue. On them,
# softmax regression.


def accuracy(logits):
    return (logits.argmax(dim=1) == y_test).float().mean().item()


def colours(x):
    return torch.cat([x.mean(dim=(2, 3)), x.std(dim=(2, 3))], dim=1)  # (N, 6)


set_seed(SEED)
linear = nn.Linear(6, CLASSES).to(device)
optimizer = torch.optim.LBFGS(linear.parameters(), max_iter=300)
features = colours(x)


def closure():
    optimizer.zero_grad()
    loss = F.cross_entropy(linear(features), y)
    loss.backward()
    return loss


optimizer.step(closure)
with torch.no_grad():
    baseline = accuracy(linear(colours(x_test)))
print(f"softmax on colour statistics: accuracy {baseline:.3f}")

# %%
# Three networks
# --------------
# LeNet of 1998 with colour at the door and today's activations; a VGG of six
# convolutions that shrinks the picture twice; and ResNet-20, which keeps full
# resolution for its first seven. We count the multiplications for one picture, on
# the way forward.


def lenet():
    layers = [nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2)]  # (N, 6, 14, 14)
    layers += [nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)]  # (N, 16, 5, 5)
    layers += [nn.Flatten(), nn.Linear(400, 120), nn.ReLU()]
    layers += [nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, CLASSES)]
    return nn.Sequential(*layers)


def vgg(width=16):
    layers, channels = [], 3
    for factor in (1, 2, 4):
        layers += [conv_block(channels, factor * width)]
        layers += [conv_block(factor * width, factor * width), nn.MaxPool2d(2)]
        channels = factor * width
    layers[-1] = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels, CLASSES))


builders = {"LeNet": lenet, "VGG": vgg, "ResNet-20": ResNetCIFAR}
products = {}
for name, build in builders.items():
    network = build()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    products[name] = counter.get_total_flops() // 2
    size = sum(p.numel() for p in network.parameters())
    print(f"{name:10}{size:9,} parameters,{products[name]:12,} multiplications")

# %%
# One recipe
# ----------
# Every picture is mirrored or not, moved by up to four pixels, and learned with
# AdamW and a rate that rises and falls once. Of the largest rates that were tried, on
# another draw of the windows, 0.003 was best for all three. The schedule belongs to a
# number of steps, so each budget is a training of its own: half-way through, no
# network is as good as it could be by then.


def augment(x, most=4):
    B, C, side, _ = x.shape
    flip = torch.rand(B, 1, 1, 1, device=device) < 0.5
    padded = F.pad(torch.where(flip, x.flip(-1), x), [most] * 4, mode="reflect")
    shift = torch.randint(2 * most + 1, (2, B, 1), device=device)
    rows, columns = (s + torch.arange(side, device=device) for s in shift)
    images = torch.arange(B, device=device)[:, None, None, None]
    channels = torch.arange(C, device=device)[:, None, None]
    return padded[images, channels, rows[:, None, :, None], columns[:, None, None]]


def train(name, steps):
    set_seed(SEED)
    network = builders[name]().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.003, total_steps=steps
    )
    epochs = range(steps * BATCH // len(x) + 1)
    order = torch.cat([torch.randperm(len(x)) for _ in epochs]).to(device)
    for part in order[: steps * BATCH].split(BATCH):
        inputs = augment(x[part]).contiguous(memory_format=torch.channels_last)
        loss = F.cross_entropy(network(inputs), y[part], label_smoothing=0.05)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    return network.eval()


# %%
# With the same steps, all three see the same pictures. Each network also gets
# shorter or longer trainings, so that their costs overlap. For a training step we
# count three times the products of the way forward, since the way back has two for
# each.

STEPS = budget(cpu=60, gpu=2400)
shares = {"LeNet": (1, 4, 16), "VGG": (1 / 4, 1, 4), "ResNet-20": (1 / 4, 1)}
rows, logits = {}, {}
for name, factors in shares.items():
    for factor in factors:
        benchmarks.wait(device)
        start = time.perf_counter()
        network = train(name, int(factor * STEPS))
        benchmarks.wait(device)
        seconds = time.perf_counter() - start
        with torch.no_grad():
            outputs = torch.cat([network(part) for part in x_test.split(250)])
        seen = int(factor * STEPS) * BATCH
        cost = 3 * seen * products[name]
        rows[name, factor] = seen, cost, seconds, accuracy(outputs)
        logits[name, factor] = outputs
print(f"{'':10}{'pictures':>9}{'products':>10}{'seconds':>9}{'accuracy':>10}")
for (name, _), (seen, cost, seconds, score) in rows.items():
    print(f"{name:10}{seen:9,}{cost:10.1e}{seconds:9.1f}{score:10.3f}")

# %%
# What a multiplication buys
# --------------------------
# Left against the multiplications of the whole training, right against its seconds
# on this machine. Filled points have seen equally many pictures.

# sphinx_gallery_alt = "Two charts of test accuracy, left against multiplications, right against seconds of training, both logarithmic, with a dashed line for the baseline. All curves rise; those of LeNet and VGG begin below the line and end well above it. Left, LeNet's curve lies far to the left of VGG's, and VGG's to the left of ResNet-20's. Right, LeNet and VGG run close together, ResNet-20 still furthest right. The filled points of VGG and ResNet-20 are well above LeNet's."
# sphinx_gallery_thumbnail_number = 1
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True)
for name, color in zip(builders, (viz.GREEN, viz.BLUE, viz.ORANGE), strict=True):
    points = [rows[name, factor] for factor in shares[name]]
    for ax, column in zip(axes, (1, 2), strict=True):
        xs, ys = [p[column] for p in points], [p[3] for p in points]
        ax.plot(xs, ys, "o-", color=color, markerfacecolor=viz.PAPER, label=name)
        ax.plot(rows[name, 1][column], rows[name, 1][3], "o", color=color)
for ax in axes:
    ax.axhline(baseline, color=viz.MUTED, linestyle="--", linewidth=1)
    ax.set_xscale("log")
axes[0].set(xlabel="multiplications in training", ylabel="test accuracy")
axes[1].set_xlabel("seconds of training")
axes[1].xaxis.set_major_locator(LogLocator(subs=(1, 3)))
axes[1].xaxis.set_major_formatter("{x:g}")
axes[1].xaxis.set_minor_formatter("")
_ = axes[1].legend(loc="upper left")

# %%
# On the left, read upwards from one cost: the cheaper the network, the better its
# answer. Follow the filled points: from the same pictures, the deeper ones learn more.
# Both are true. What LeNet lacks in each step, it makes up by their number. Its curve
# should be the first to bend, on a larger budget than ours. The right panel is kinder
# to large networks: LeNet's small convolutions keep the processor waiting, and each
# of its multiplications takes longer.
#
# Part of the price of few steps is batch norm's, which LeNet does not have. Its
# running averages, used in the test, forget a tenth of their start at each step.

left_over = 0.9 ** int(STEPS / 4)
print(f"after the shortest training with batch norm, they hold {left_over:.0%} of it")

# %%
# None of this says that ResNet-20 is a worse network. Its paper trained it for
# 64,000 steps of 128 pictures; we can afford a thousandth of them here. It says what
# to begin with when the budget is small.
#
# Where the best one errs
# -----------------------

best = max(rows, key=lambda key: rows[key][3])
guesses = logits[best].argmax(dim=1)
pairs = torch.bincount(CLASSES * y_test + guesses, minlength=CLASSES**2)
pairs = pairs.view(CLASSES, CLASSES).cpu()
print(f"{best[0]}, {rows[best][0]:,} pictures: accuracy {rows[best][3]:.3f}")
# sphinx_gallery_alt = "Confusion matrix of ten photographs. Most counts stand on the diagonal, near one hundred each; the mistakes gather in a few cells, between photographs with similar colours or plain surfaces."
fig, ax = plt.subplots(figsize=(5.4, 4.8))
viz.confusion_matrix(ax, pairs, pictures.classes)
ax.tick_params(axis="x", rotation=60)

# %%
# Since we looked at eight trainings and show the best, its accuracy flatters it a
# little. The differences that matter here are larger than that.

pictures_alike = {name: rows[name, 1] for name in builders}
cost_alike = {"LeNet": rows["LeNet", 16], "VGG": rows["VGG", 1]}
cost_alike["ResNet-20"] = rows["ResNet-20", 1 / 4]
costs = [row[1] for row in cost_alike.values()]
assert max(costs) < 1.1 * min(costs)
if bundled and device.type == "cpu":
    least = {name: scores[3] for name, scores in pictures_alike.items()}
    assert min(least["VGG"], least["ResNet-20"]) > least["LeNet"] + 0.05
    first, second, third = (row[3] for row in cost_alike.values())
    assert first > second + 0.05 and second > third + 0.05
    assert baseline > max(rows[n, 1 / 4][3] for n in ("VGG", "ResNet-20")) + 0.03
    assert best[0] != "ResNet-20" and rows[best][3] > baseline + 0.1
assert products["ResNet-20"] > 50 * products["LeNet"]

# %%
# To vary: the width of the VGG, or ``ResNetCIFAR(20, width=8)`` at a quarter of the
# cost.
