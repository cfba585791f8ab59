"""
Twenty, fifty and a hundred images
==================================

With a hundred images or fewer, should one train a small network from scratch, fit a
linear classifier to the features of a network that knows ImageNet, or fine-tune that
network? We try all three, several times, on two tasks. For windows of photographs
ImageNet's features win with a hundred images, by little or nothing with twenty, and
fine-tuning adds a few points at best. For faces everything works, and ImageNet's
features buy nothing: some numbers measured by hand do as well, because one of them
gives the answer away. So look at the data first, and try frozen features second.
"""

import copy

import matplotlib.pyplot as plt
import torch
from skimage.data import lfw_subset
from torch import nn
from torch.nn import functional as F

from tenphases import budget, data, get_device, set_seed, viz
from tenphases.models.pretrained import efficientnet_lite0

viz.use_style()
torch.set_num_threads(1)  # the batches are small
device = get_device()
SEED, SIZES, SIDE = 0, (20, 50, 100), 64
SEEDS = range(SEED, SEED + budget(cpu=3, gpu=10))

# %%
# Two tasks
# ---------
# *Faces*: is this a face or a piece of background? Grey images of 25 by 25 pixels, a
# hundred of each kind, from Labeled Faces in the Wild as scikit-image bundles them.
# We train on at most half of them and test on the other half. *Photographs*: from
# which of ten photographs was this window of 32 by 32 pixels cut? Here twenty images
# are two of each class, and all runs share 300 test windows from other places.
# Each seed draws its own training images, as many of each class.

patches = data.photo_patches(0, train=500, test=300)
print(patches)
faces = torch.from_numpy(lfw_subset()).float()[:, None].expand(-1, 3, -1, -1)
pairs = zip(patches.train.tensors, patches.test.tensors, strict=True)
windows, photos = (torch.cat(pair) for pair in pairs)
tasks = {
    "faces": (faces, torch.arange(2).repeat_interleave(100)),
    "photographs": (windows, photos),
}


def draw(task, size, generator):
    """Return the rows of the training and of the test images."""
    targets = tasks[task][1] if task == "faces" else photos[:500]
    classes = [(targets == c).nonzero().squeeze(1) for c in targets.unique()]
    classes = [rows[torch.randperm(len(rows), generator=generator)] for rows in classes]
    train = torch.cat([rows[: size // len(classes)] for rows in classes])
    if task == "faces":
        return train, torch.cat([rows[50:] for rows in classes])
    return train, torch.arange(500, 800)


# sphinx_gallery_alt = "Two rows of ten small images: five blurred grey faces and five grey pieces of background; then one colour window from each of ten photographs."
first = F.interpolate(faces[[0, 1, 2, 3, 4, 100, 101, 102, 103, 104]], (32, 32))
shown = [(photos == c).nonzero()[0].item() for c in range(10)]
fig = viz.image_grid(torch.cat([first, windows[shown]]), columns=10, cell=0.7)

# %%
# By hand
# -------
# What would we have done without any network? We would have measured something: the
# brightness of each colour channel, its contrast, how much it changes across and
# down, and the shares of 64 colours: 76 numbers. A linear classifier, kept small by
# a strong weight decay, learns from them, and further down from other features.


def by_hand(images):
    edges = [images.diff(dim=d).abs().mean(dim=(2, 3)) for d in (3, 2)]
    levels = (4 * images).long().clamp(max=3).flatten(2)  # (N, 3, pixels)
    colours = F.one_hot(16 * levels[:, 0] + 4 * levels[:, 1] + levels[:, 2], 64)
    shares = colours.float().mean(dim=1).sqrt()
    return torch.cat([images.mean((2, 3)), images.std((2, 3)), *edges, shares], dim=1)


change = by_hand(faces)[:, 6]  # the mean change of brightness across
sharper = (change[:100, None] > change[100:]).float().mean().item()
print(f"in {sharper:.1%} of all pairs the face changes more than the background")

# %%
# That one number nearly decides the first task: a face is in focus, what lies behind
# it is not. We shall see who finds it.


def linear(features, targets, steps=100):
    """Fit and return a linear layer behind a fixed scaling, as one module."""
    scale = nn.BatchNorm1d(features.shape[1], affine=False, momentum=None)
    scale.to(device)(features)  # takes the training images' mean and spread
    head = nn.Linear(features.shape[1], len(targets.unique())).to(device)
    nn.init.zeros_(head.weight)
    model = nn.Sequential(scale.eval(), head)
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3, weight_decay=1.0)
    for _ in range(steps):
        learn(optimizer, model(features), targets)
    return model


def learn(optimizer, logits, targets):
    loss = F.cross_entropy(logits, targets.to(device))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


# %%
# From scratch
# ------------
# A small network with random weights, at the images' own size, with mirrored and
# shifted copies.


def augment(images):
    mirrored = torch.rand(len(images), 1, 1, 1) < 0.5
    images = torch.where(mirrored, images.flip(-1), images)
    top, left = torch.randint(5, (2,)).tolist()
    padded = F.pad(images, [2] * 4, mode="reflect")
    return padded[:, :, top : top + images.shape[2], left : left + images.shape[3]]


def scratch(images, targets, steps=150):
    layers = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        conv = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(after), nn.ReLU()]
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, len(targets.unique()))
    model = nn.Sequential(*layers, *head).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
    for _ in range(steps):
        rows = torch.randperm(len(images))[:32]
        learn(optimizer, model(augment(images[rows]).to(device)), targets[rows])
        schedule.step()
    return model.eval()


# %%
# With what ImageNet taught
# -------------------------
# *Frozen*: EfficientNet-Lite0 turns every image, enlarged, into 1,280 features, and
# only the linear classifier learns. *Fine-tuned*: from there, the last stage and the
# head may move as well, slowly. Whatever is frozen gives the same result at every
# step, so we compute it once for every image and its mirror image and train on that.
# It is what makes fine-tuning affordable here. Batch norm keeps ImageNet's averages:
# those of twenty images would be poor ones.

network = efficientnet_lite0().to(device).requires_grad_(False)
upper = nn.Sequential(
    network.blocks[6:], network.conv_head, network.bn2, network.global_pool
)


@torch.no_grad()
def lower(images):
    parts = []
    for part in images.split(100):
        x = F.interpolate(part.to(device), (SIDE, SIDE), mode="bicubic")
        x = network.bn1(network.conv_stem(2 * x - 1))
        parts.append(network.blocks[:6](x))
    return torch.cat(parts)  # (N, 192, 2, 2)


def fine_tune(maps, targets, head, steps=25, lr=3e-4):
    model = nn.Sequential(copy.deepcopy(upper).requires_grad_(), copy.deepcopy(head))
    optimizer = torch.optim.AdamW(model.eval().parameters(), lr=lr)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        rows = torch.randperm(len(maps))[:20]
        learn(optimizer, model(maps[rows]), targets[rows])
    return model


cache = {name: (lower(x), lower(x[:500].flip(-1))) for name, (x, _) in tasks.items()}

# %%
# Four ways, three sizes, several draws
# -------------------------------------


def compare(task, size, seed):
    """Return the test accuracy of each method."""
    set_seed(seed)
    images, targets = tasks[task]
    train, test = draw(task, size, torch.Generator().manual_seed(seed))
    twice = targets[train].repeat(2)  # every image and its mirror image
    maps = torch.cat([part[train] for part in cache[task]])
    measured = by_hand(images).to(device)
    simple = linear(measured[train], targets[train])
    frozen = linear(upper(maps), twice)
    tuned, tested = fine_tune(maps, twice, frozen), cache[task][0][test]
    small = scratch(images[train], targets[train])
    with torch.no_grad():
        logits = {
            "by hand": simple(measured[test]),
            "from scratch": small(images[test].to(device)),
            "frozen": frozen(upper(tested)),
            "fine-tuned": tuned(tested),
        }
    right = {name: z.cpu().argmax(dim=1) == targets[test] for name, z in logits.items()}
    return {name: hits.float().mean().item() for name, hits in right.items()}


methods = ("by hand", "from scratch", "frozen", "fine-tuned")
results = {}  # (task, method): (sizes, seeds)
for task in tasks:
    runs = [[compare(task, size, seed) for seed in SEEDS] for size in SIZES]
    for method in methods:
        rows = torch.tensor([[run[method] for run in row] for row in runs])
        results[task, method] = rows
        text = "".join(f"   {r.mean():.3f} ± {r.std():.3f}" for r in rows)
        print(f"{task:12}{method:13}{text}")

# %%
# What is an image worth?
# -----------------------
# A dot for each draw, a line through the means.

# sphinx_gallery_alt = "Two charts of test accuracy against 20, 50 and 100 training images, four lines through dots. Left, faces: all lines between about 0.94 and 1, by hand and from scratch above the others. Right, photographs: by hand lowest, from 0.4 to 0.6; the other three start together near 0.5, then frozen and fine-tuned rise side by side to about 0.8, from scratch to 0.7."
# sphinx_gallery_thumbnail_number = 2
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
colors = (viz.GREY, viz.ORANGE, viz.BLUE, viz.PURPLE)
for ax, task in zip(axes, tasks, strict=True):
    for i, (method, color) in enumerate(zip(methods, colors, strict=True)):
        scores = results[task, method]
        x = torch.tensor(SIZES) * 1.03 ** (i - 1.5)  # side by side
        ax.plot(x, scores, "o", color=color, alpha=0.4, markersize=4)
        ax.plot(x, scores.mean(dim=1), color=color, label=method)
    ax.set(xscale="log", xlabel=f"training images ({task})")
    ax.set_xticks(SIZES, SIZES)
    ax.minorticks_off()
axes[0].set_ylabel("test accuracy")
_ = axes[1].legend(loc="lower right")

# %%
# On the photographs the measured numbers come last. With twenty images, two of each
# photograph, the other three are about level: nobody knows much yet. Then ImageNet's
# features pull away from the network from scratch, in some draws by much and in some
# by little: one draw alone could have told either story. Fine-tuning starts where the
# frozen features are, and stays near.
#
# The faces tell another story. ImageNet's features are good there, too, and if we had
# tried nothing else, we would praise them. But the numbers measured by hand do about
# as well or better, and so does the network from scratch: both can use how sharp a
# picture is. The deep features were trained to name a thing, sharp or not.

means = {key: scores.mean(dim=1) for key, scores in results.items()}
by_task = [[means[task, method] for method in methods] for task in tasks]
(f_hand, f_scratch, f_frozen, _), (hand, small, frozen, tuned) = by_task
lead = results["photographs", "frozen"] - results["photographs", "from scratch"]
assert sharper > 0.97 and min(f_hand.min(), f_frozen.min()) > 0.88
assert min(f_hand.mean() + 0.02, f_scratch.mean() + 0.01) > f_frozen.mean()
assert lead[2].median() > 0 and lead[0].mean().abs() < 0.1
assert tuned[2] > small[2] + 0.02 and (tuned - frozen).abs().max() < 0.06
assert (small > hand).all() and small[2] > hand[2] + 0.02

# %%
# To vary: the steps of ``scratch``, more images, or a larger ``SIDE``.
