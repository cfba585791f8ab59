"""
A wider network, or more images?
================================

A perceptron with one hidden layer misreads too many digits. Two remedies cost
money: a wider hidden layer, which needs a bigger machine, and more labelled
images, which need people. Which one pays? We train every combination of four
widths and five sizes of the training set, with three seeds each. Up to some
dozens of hidden units width pays. From there on, four times the width removes few
of the errors, and four times the images many more. With few images even the
widest network is a poor reader.
"""

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from tenphases import data, get_device, viz
from tenphases.models.mlp import mlp

viz.use_style()
torch.set_num_threads(1)  # the networks are small
device = get_device()
SEED = 0
WIDTHS = (2, 8, 32, 128)
SIZES = (250, 500, 1000, 2000, 4000)
SEEDS = 3

# %%
# Digits to learn from, digits to judge by
# ----------------------------------------
#
# The training images are drawn in a random order, so that the first 250 are a fair
# sample of all. Nothing is chosen here by the score, so the test images may judge
# every network: the study asks about all of them.

digits = data.mnist(seed=SEED)
x, y = digits.train.tensors
own = torch.Generator().manual_seed(SEED)
order = torch.randperm(len(x), generator=own)[: SIZES[-1]]
x, y = x[order].flatten(1).to(device), y[order].to(device)  # (4000, 784)
x_test, y_test = (t[:1000].to(device) for t in digits.test.tensors)
x_test = x_test.flatten(1)

# %%
# Fifteen networks at once
# ------------------------
#
# The fifteen networks of one width have weights of the same shape. We stack them along
# a first axis and let ``baddbmm``, a batched matrix product with a bias, run them all
# in one call: on a small machine that saves most of the overhead. The sum of
# their losses gives each network just its own gradient, because no weight of one
# occurs in the loss of another.


def forward(weights, x):
    """Logits (M, B, 10) of M networks for their own inputs (M, B, 784)."""
    w1, b1, w2, b2 = weights
    h = torch.baddbmm(b1, x, w1).relu()  # (M, B, H)
    return torch.baddbmm(b2, h, w2)


def stack(width, seeds):
    """Weights of one network for each seed, drawn as ``nn.Linear`` draws them."""
    nets = []
    for seed in seeds:
        torch.manual_seed(seed)
        nets.append([p.detach() for p in mlp(784, width, 10).parameters()])
    w1, b1, w2, b2 = (torch.stack(p).to(device) for p in zip(*nets, strict=True))
    weights = w1.mT.contiguous(), b1[:, None], w2.mT.contiguous(), b2[:, None]
    return [w.requires_grad_() for w in weights]


seeds = [SEED + 1, SEED + 2]
torch.manual_seed(seeds[1])
alone = mlp(784, 8, 10).to(device)
both = forward(stack(8, seeds), x[:5].expand(2, 5, 784))
torch.testing.assert_close(both[1], alone(x[:5]), rtol=1e-3, atol=1e-5)

# %%
# The same number of steps for all
# --------------------------------
#
# Each network takes 500 steps of 50 images, whatever it has: 250 images it sees a
# hundred times, 4,000 six times. So all networks of one width cost the same, and more
# images do not mean more training.


def train(width, steps=500, batch=50):
    """Errors on the test images and on images studied, (2, sizes, seeds)."""
    nets = [(size, SEED + s) for size in SIZES for s in range(SEEDS)]
    weights = stack(width, [seed for _, seed in nets])
    limits = torch.tensor([[size] for size, _ in nets], device=device)
    optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9)
    draw = torch.Generator().manual_seed(SEED)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        u = torch.rand(len(nets), batch, generator=draw).to(device)
        rows = (u * limits).long()  # (M, B), below the size of each network
        logits = forward(weights, x[rows])
        losses = F.cross_entropy(logits.flatten(0, 1), y[rows].flatten())
        optimizer.zero_grad()
        (len(nets) * losses).backward()  # the mean over all, back to a sum
        optimizer.step()
        schedule.step()
    errors = []
    for images, targets in ((x_test, y_test), (x[:250], y[:250])):
        with torch.no_grad():
            logits = forward(weights, images.expand(len(nets), *images.shape))
        wrong = (logits.argmax(dim=2) != targets).float()
        errors.append(wrong.mean(dim=1).view(len(SIZES), SEEDS).cpu())
    return torch.stack(errors)


errors, studied = torch.stack([train(width) for width in WIDTHS], dim=1)
means, spread = errors.mean(dim=2), errors.std(dim=2)  # (widths, sizes)
for width, row in zip(WIDTHS, means.tolist(), strict=True):
    print(f"width {width:3}:", *(f"{e:6.3f}" for e in row))

# %%
# Which remedy pays? Left, each line is a width; a line that falls says that images help.
# Right, the same numbers, each line a size; there a fall says that width helps.

# sphinx_gallery_alt = "Two charts of the test error, logarithmic axes. Left, against the number of training images, one line for each width: the line of width 2 is high and nearly flat; those of width 32 and 128 lie close together and fall in parallel from about 0.2 to about 0.06. Right, against the width, one line for each number of images: all fall steeply from width 2 to 8, less from 8 to 32 and little after that, the line for 4,000 images lowest."
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
for i, width in enumerate(WIDTHS):
    left.errorbar(SIZES, means[i], spread[i], color=viz.COLORS[i], label=f"{width}")
for j, size in enumerate(SIZES):
    color = viz.COLORS[j]
    right.errorbar(WIDTHS, means[:, j], spread[:, j], color=color, label=f"{size:,}")
left.set(xscale="log", yscale="log", xlabel="training images", ylabel="test error")
right.set(xscale="log", xlabel="hidden units")
left.set_xticks(SIZES, [f"{size:,}" for size in SIZES], fontsize=8)
right.set_xticks(WIDTHS, WIDTHS)
left.set_yticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
for ax, title in ((left, "hidden units"), (right, "images")):
    ax.minorticks_off()
    ax.legend(title=title, fontsize=8, ncols=2)

# %%
# The exchange rate
# -----------------
#
# What does a factor of four buy, beyond 32 units and beyond 1,000 images? We
# compare the errors before and after, over all seeds.

by_width = 1 - (means[3, 4] / means[2, 4]).item()  # 32 to 128 units, 4,000 images
by_images = 1 - (means[2, 4] / means[2, 2]).item()  # 1,000 to 4,000, 32 units
print(f"four times the width removes {by_width:.0%} of the errors,")
print(f"four times the images {by_images:.0%};")
for i, j in ((2, 4), (3, 2)):
    print(f"{WIDTHS[i]} units, {SIZES[j]:,} images: error {means[i, j]:.3f}")
assert by_images > 1.5 * by_width and means[2, 4] < means[3, 2] - 0.01
assert (means[1:, 0] > 0.1).all() and means[0, 4] > 3 * means[2, 4]

# %%
# Why do the curves bend where they bend? Here is the error on 250 images that
# all the networks have studied.

for i, width in enumerate(WIDTHS):
    text = "  ".join(f"{e:.3f}" for e in studied[i].mean(dim=1).tolist())
    print(f"width {width:3}, 250 to 4,000 images: {text}")
assert studied[2:].max() < 0.06 and studied[0, 4].mean() > 0.2

# %%
# Two hidden units are too few even for what was studied: such a network lacks
# *capacity*, and no amount of data changes that. From 32 units on the studied images
# are read nearly without a mistake. What these networks lack is experience, and width
# cannot replace it. Images may also be made from others: the chapter
# :ref:`mlp-classification` moves them about.

# %%
# To vary: give the networks with more images more steps. Does the gap grow?
