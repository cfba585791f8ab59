"""
AlexNet and ResNet, by hand
===========================

Which layers hold a network's parameters, and which do its work? We check AlexNet,
built here, and our ResNet-18 against torchvision's, then count. They are not the
same layers. In AlexNet three dense layers hold nearly all parameters and do less
than a tenth of the multiplications. ResNet-18 has a fifth of the parameters and
more than twice the multiplications: from stage to stage its work stays about the
same while the parameters grow fourfold. Nor do multiplications alone tell the time.
For a single image, AlexNet's dense layers take far more than their share of it.
"""

import itertools

import matplotlib.pyplot as plt
import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from tenphases import benchmarks, get_device, set_seed, viz
from tenphases.models.resnet import ResNet18

viz.use_style()
SEED = 0
SIZES = {"AlexNet": 61_100_840, "ResNet-18": 11_689_512}  # as torchvision gives them
device = get_device()

# %%
# AlexNet in thirty lines
# -----------------------
# Five convolutions, three poolings, three dense layers, of which dropout guards two.
# This is the network of 2012 on one processor instead of two, as its author wrote it
# in 2014 and as torchvision has it. The comments say what shape an image of 224 × 224
# pixels has by then.


def conv(channels_in, channels_out, kernel, **options):
    return [nn.Conv2d(channels_in, channels_out, kernel, **options), nn.ReLU()]


class AlexNet(nn.Module):
    def __init__(self, classes=1000):
        super().__init__()
        self.features = nn.Sequential(
            *conv(3, 64, 11, stride=4, padding=2),  # (N, 64, 55, 55)
            nn.MaxPool2d(3, stride=2),
            *conv(64, 192, 5, padding=2),  # (N, 192, 27, 27)
            nn.MaxPool2d(3, stride=2),
            *conv(192, 384, 3, padding=1),  # (N, 384, 13, 13)
            *conv(384, 256, 3, padding=1),
            *conv(256, 256, 3, padding=1),
            nn.MaxPool2d(3, stride=2),  # (N, 256, 6, 6)
        )
        self.classifier = nn.Sequential(
            *(nn.Dropout(), nn.Linear(256 * 6 * 6, 4096), nn.ReLU()),
            *(nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU()),
            nn.Linear(4096, classes),
        )

    def forward(self, images):
        return self.classifier(self.features(images).flatten(1))


# %%
# The same numbers out
# --------------------
# Same parameters in, same logits out: that is the test. torchvision's networks start
# at random, so nothing is downloaded. A batch in training mode moves the running
# averages of the batch norms away from zero and one, where a forgotten norm could
# hide. The gradients of the first layer must agree too, since they pass through
# everything behind it.

set_seed(SEED)
images = torch.randn(2, 3, 224, 224)
networks = {}
for name, ours, theirs in (
    ("AlexNet", AlexNet(), torchvision.models.alexnet()),
    ("ResNet-18", ResNet18(), torchvision.models.resnet18()),
):
    theirs.train()(images)
    ours.load_state_dict(theirs.state_dict())
    outputs, gradients = [], []
    for model in (ours.eval(), theirs.eval()):
        logits = model(images)
        first = next(model.parameters())
        outputs.append(logits)
        gradients += torch.autograd.grad(logits.square().mean(), first)
    torch.testing.assert_close(*outputs)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-6)
    networks[name] = ours
    size = sum(p.numel() for p in ours.parameters())
    assert size == SIZES[name]
    print(f"{name:10}{size:12,} parameters, outputs and gradients equal")

# %%
# Counting
# --------
# Every number that a convolution or a dense layer puts out is a sum of products, one
# for each number in a row of its weight. So a layer's multiplications for an image
# are the numbers that it puts out times the length of a row. A hook sees what passes
# through each layer. PyTorch's own counter, which counts a product and its addition
# as two operations, must arrive at twice our sum.


def layers_of(model, images):
    """Name, layer and input of every convolution and dense layer, as they run."""
    seen = []
    handles = [
        layer.register_forward_hook(lambda m, x, y, n=name: seen.append((n, m, *x, y)))
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        model(images)
    for handle in handles:
        handle.remove()
    return seen


counts, products = {}, {}
for name, model in networks.items():
    rows = []
    for layer_name, layer, _, output in layers_of(model, images[:1]):
        parameters = sum(p.numel() for p in layer.parameters())
        rows.append((layer_name, parameters, output.numel() * layer.weight[0].numel()))
    counts[name], products[name] = rows, sum(row[2] for row in rows)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(images[:1])
    assert counter.get_total_flops() == 2 * products[name]
    print(f"{name:10}{products[name]:15,} multiplications an image")

# %%
# Layer by layer
# --------------
# Each bar is a layer's share of the whole network, in the order of computation.

# sphinx_gallery_alt = "Two bar charts of shares by layer. AlexNet: the five convolutions have high bars of multiplications and almost no parameters; the first dense layer holds more than half of the parameters, the second a quarter, and their bars of multiplications are low. ResNet-18: bars of multiplications are about equally high in all four stages; bars of parameters are invisible in the first stage and grow to the last."
# sphinx_gallery_thumbnail_number = 1
fig, axes = plt.subplots(2, 1, figsize=(7.2, 4.4))
for ax, (name, rows) in zip(axes, counts.items(), strict=True):
    columns = (("parameters", 1, viz.ORANGE), ("multiplications", 2, viz.BLUE))
    for shift, (label, column, color) in zip((-0.2, 0.2), columns, strict=True):
        total = sum(row[column] for row in rows)
        heights = [100 * row[column] / total for row in rows]
        places = [i + shift for i in range(len(rows))]
        ax.bar(places, heights, 0.4, color=color, label=label)
    ax.set_ylabel(f"{name}: share (%)")
    ax.grid(axis="x", visible=False)
kinds = [f"conv {i}" for i in range(1, 6)] + [f"dense {i}" for i in range(1, 4)]
axes[0].set_xticks(range(8), kinds)
middles = [0, 2.5, 7, 12, 17, 20]  # of each group of bars
axes[1].set_xticks(middles, ["conv", *(f"stage {i}" for i in range(1, 5)), "dense"])
_ = axes[0].legend()

# %%
# A convolution's weight is used once at every place of the image, a dense layer's
# once. So early layers, with many places, do much with few parameters, and dense
# layers the reverse. ResNet-18 has one dense layer, on top of an average over all
# places. From stage to stage it halves both sides and doubles the channels. A
# quarter of the places, times four of the products, leaves the work as it was; the
# parameters grow fourfold.


def share(rows, column, start):
    chosen = sum(row[column] for row in rows if row[0].startswith(start))
    return chosen / sum(row[column] for row in rows)


stages = [
    [share(counts["ResNet-18"], column, f"layer{i}") for column in (1, 2)]
    for i in range(1, 5)
]
for i, (parameters, work) in enumerate(stages, start=1):
    print(f"stage {i}: {parameters:5.1%} of parameters, {work:5.1%} of multiplications")

# %%
# And the time?
# -------------
# We time AlexNet's layers one by one, on one thread, each with the input that reaches
# it, for one image and for a batch of 16. Other programs disturb now one layer, now
# another, so we go round five times and keep each layer's best.


def seconds(batch):
    """Seconds for one image in the convolutions and in the dense layers."""
    model = networks["AlexNet"].to(device)
    inputs = torch.randn(batch, 3, 224, 224, device=device)
    best = {}
    with torch.no_grad():
        layers = layers_of(model, inputs)
        for _ in range(5):
            for name, layer, x, _ in layers:
                spent = benchmarks.fastest(
                    lambda m=layer, x=x: m(x), device, budget=0, repeats=1
                )
                best[name] = min(spent / batch, best.get(name, spent))
    return [
        sum(spent for name, spent in best.items() if name.startswith(part))
        for part in ("features", "classifier")
    ]


# %%
# Set beside the two counts, as shares of the whole network:

torch.set_num_threads(1)
times = {batch: seconds(batch) for batch in (1, 16)}
dense = {
    "parameters": share(counts["AlexNet"], 1, "classifier"),
    "multiplications": share(counts["AlexNet"], 2, "classifier"),
}
for batch, spent in times.items():
    label = "time, one image" if batch == 1 else f"time, batch of {batch}"
    dense[label] = spent[1] / sum(spent)
    print(f"{label:18}{1e3 * sum(spent):7.2f} ms an image", end="")
    print(f", {dense[label]:.0%} of it in dense layers")

# sphinx_gallery_alt = "Four horizontal bars, each split into convolutions and dense layers of AlexNet. Parameters: nearly all dense. Multiplications: less than a tenth dense. Time for one image: a large part dense. Time in a batch of 16: a small part dense."
fig, ax = plt.subplots(figsize=(7.2, 2.3))
names, right = list(dense), [100 * value for value in dense.values()]
left = [100 - value for value in right]
ax.barh(names, left, color=viz.BLUE, label="convolutions")
ax.barh(names, right, left=left, color=viz.ORANGE, label="dense layers")
ax.set(xlabel="share of AlexNet (%)", xlim=(0, 100))
ax.grid(axis="y", visible=False)
ax.invert_yaxis()
_ = fig.legend(loc="outside upper center", ncols=2)

# %%
# For one image, a dense layer fetches each parameter from memory to use it once, and
# waits for memory, not for arithmetic. In a batch, what was fetched serves all
# images, and the times move towards the multiplications. So ask for the parameters
# to know the size of the file and what a single answer fetches, and for the
# multiplications to know what training costs.

assert dense["parameters"] > 0.95 and dense["multiplications"] < 0.1
assert 0.15 < SIZES["ResNet-18"] / SIZES["AlexNet"] < 0.25
assert products["ResNet-18"] > 2 * products["AlexNet"]
for before, after in itertools.pairwise(stages):
    assert 3.5 < after[0] / before[0] < 4.01
    assert 0.85 < after[1] / before[1] < 1.01
assert dense["time, one image"] > 1.5 * dense["multiplications"]
assert dense["time, batch of 16"] < 0.8 * dense["time, one image"]

# %%
# To vary: the side of the images (at 448, what happens to each share?).
