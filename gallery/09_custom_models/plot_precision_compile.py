"""
Half the bits, or a compiler?
=============================

``torch.autocast`` and ``torch.compile`` both promise faster training for one line
of code. Do they keep the promise, and is it the same training? We train one network
in four ways, step by step in turns, with the compiler's first call on the bill. The
losses stay together: compiling changes them by rounding, bfloat16 by less than
another random start does. Both keep fewer bytes for the backward pass. Time is
another matter: each pays only where the hardware can use it, and the compiler only
after a number of steps, which we compute.
"""

import logging
import os
import tempfile
import time

os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()  # nothing compiled yet
# it would report a CUDA compiler without a GPU, and we need neither
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from tenphases import budget, data, get_device, viz
from tenphases.benchmarks import device_name, wait

viz.use_style()
torch.set_num_threads(1)
device = get_device()
SEED, DEPTH = 0, 6
STEPS = budget(cpu=30, gpu=300)
BATCH = budget(cpu=512, gpu=4000)
WIDTH = budget(cpu=64, gpu=1024)

# %%
# A network with formulas of its own
# ----------------------------------
# Digits, shrunk to 14 × 14, go through six residual layers. Each normalises its input
# by the root of the mean square, and gates one half of its hidden units by the other:
# :math:`a \, \sigma(a) \, b`, as many language models do. Written as formulas, these
# are ten operations around two matrix products, and autograd keeps something for most
# of them.

images, targets = data.mnist().train.tensors
images = F.avg_pool2d(images, 2).flatten(1).to(device)  # (N, 196)
targets = targets.to(device)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(WIDTH))
        self.up = nn.Linear(WIDTH, 8 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x):  # (B, WIDTH)
        normal = x * (x.square().mean(dim=-1, keepdim=True) + 1e-6).rsqrt()
        a, b = self.up(normal * self.scale).chunk(2, dim=-1)  # (B, 4 * WIDTH) each
        return x + self.down(a * a.sigmoid() * b)


# %%
# Four ways to train it
# ---------------------
# All start from the same weights and read the same batches, so what differs is the
# arithmetic. The weights stay in float32. Under ``autocast``, matrix products read
# copies rounded to bfloat16, which reach as far as float32 with two or three decimal
# digits. We compile the layer and not the network: its six copies share the result,
# and the first call is shorter.


class Run:
    """One way to train: its weights, its batches, its losses and its times."""

    def __init__(self, bfloat16=False, compiled=False, seed=SEED):
        torch.manual_seed(seed)
        layers = [Layer() for _ in range(DEPTH)]
        ends = nn.Linear(196, WIDTH), nn.Linear(WIDTH, 10)
        self.model = nn.Sequential(ends[0], *layers, ends[1]).to(device)
        for layer in layers if compiled else []:
            layer.compile()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3)
        self.order = torch.Generator().manual_seed(SEED)
        self.bfloat16, self.losses, self.seconds = bfloat16, [], []

    def loss(self):
        rows = torch.randint(len(images), (BATCH,), generator=self.order).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bfloat16):
            logits = self.model(images[rows])  # (B, 10)
        return F.cross_entropy(logits.float(), targets[rows])

    def step(self):
        wait(device)
        start = time.perf_counter()
        loss = self.loss()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        wait(device)
        self.seconds.append(time.perf_counter() - start)
        self.losses.append(loss.item())


# %%
# The four take turns at every step, since a machine that is slowed down for a while
# should slow all of them. A fifth differs from the first in its random start alone.

runs = {
    "float32": Run(),
    "bfloat16": Run(bfloat16=True),
    "compiled": Run(compiled=True),
    "both": Run(bfloat16=True, compiled=True),
    "other start": Run(seed=SEED + 1),
}
for _ in range(STEPS):
    for run in runs.values():
        run.step()

# %%
# Is it the same training?
# ------------------------
# On the left the four losses, on the right how far each is from the first; what is
# below 1e-7 is drawn there.

COLORS = dict(zip(runs, (viz.GREY, *viz.COLORS[:3], viz.PURPLE), strict=True))
# sphinx_gallery_alt = "Two line charts over the training step. Left, the losses of four runs, drawn as four nested strokes, the last the thinnest: they fall together as one. Right, the distance from the float32 run on a logarithmic axis: the compiled run lowest, by orders of magnitude below the others, then both runs with bfloat16, and the run with another start highest."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
base = torch.tensor(runs["float32"].losses)
apart = {}
for name, run in runs.items():
    if name != "other start":
        wide = 9 - 2 * len(axes[0].lines)  # a thin line upon a wide one
        axes[0].plot(run.losses, color=COLORS[name], linewidth=wide)
    difference = (torch.tensor(run.losses) - base).abs()
    axes[1].plot(difference.clamp(min=1e-7), color=COLORS[name], label=name)
    apart[name] = difference.mean().item()
for name in list(runs)[1:]:
    print(f"{name:12} differs from float32 by {apart[name]:.1e} nats on average")
axes[0].set(xlabel="step", ylabel="training loss (nats)")
axes[1].set(xlabel="step", ylabel="difference (nats)", yscale="log")
_ = fig.legend(loc="outside upper center", ncols=5)

# %%
# What a step costs
# -----------------
# Time is the median of the steps without the first three. Memory is what the forward
# pass keeps for the backward pass: ``saved_tensors_hooks`` calls us for each tensor
# that autograd saves. We count each piece of memory once, and the weights not at
# all, since they are there anyway.


def saved_bytes(run):
    weights = {p.untyped_storage().data_ptr() for p in run.model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage  # held, so that no address comes twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        run.loss()
    return sum(storage.nbytes() for storage in kept.values())


del runs["other start"]
step = {name: sorted(run.seconds[3:])[STEPS // 2] for name, run in runs.items()}
memory = {name: saved_bytes(run) for name, run in runs.items()}
print(f"{device_name()}, {torch.backends.cpu.get_cpu_capability()}")
for name, run in runs.items():
    speed = step["float32"] / step[name]
    print(f"{name:9} first call {run.seconds[0]:5.1f} s, step", end="")
    print(f" {1e3 * step[name]:6.1f} ms ({speed:.2f} times as fast),", end="")
    print(f" saved {memory[name] / 1e6:.1f} MB")

# sphinx_gallery_alt = "Two horizontal bar charts for float32, bfloat16, compiled and both. Left, the time of a step relative to float32, with a dashed line at one. Right, megabytes saved for the backward pass: most for float32, fewer for bfloat16 and for compiled, fewest for both."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.4), sharey=True)
colors = [COLORS[name] for name in runs]
axes[0].barh(list(runs), [step[name] / step["float32"] for name in runs], color=colors)
axes[0].axvline(1, color=viz.MUTED, linestyle="--", linewidth=1)
axes[0].set_xlabel("time of a step (float32 = 1)")
axes[1].barh(list(runs), [memory[name] / 1e6 for name in runs], color=colors)
axes[1].set_xlabel("saved for backward (MB)")
axes[0].invert_yaxis()

# %%
# bfloat16 is fast where the processor multiplies it in hardware: GPUs of the last
# years, and CPUs with AMX or AVX-512-BF16. Elsewhere each number is converted first,
# and it is slower. The compiler fuses what lies between matrix products, here the norm
# and the gate, and computes some of it again in the backward pass instead of keeping
# it. That helps most where memory is the bottleneck. Products of matrices it leaves to
# the same libraries.
#
# When has the compiler paid?
# ---------------------------
# The first call costs :math:`t_1`, each further step :math:`t_c`, and :math:`t_e`
# without a compiler. The totals meet after
# :math:`n^* = (t_1 - t_c) / (t_e - t_c)` steps, or never if :math:`t_c \ge t_e`. The
# first of our two first calls also loads the compiler itself.

# sphinx_gallery_thumbnail_number = 3
# sphinx_gallery_alt = "Line chart of the total time in seconds against the number of steps, both axes logarithmic. The runs without a compiler start low and rise straight. The compiled ones start high, at the cost of their first call, stay level, and later bend into a rise of their own."
fig, ax = plt.subplots()
counts = torch.logspace(0, 5, 100)
for name, run in runs.items():
    total = run.seconds[0] + (counts - 1) * step[name]
    ax.plot(counts, total, color=COLORS[name], label=name)
ax.set(xscale="log", yscale="log", xlabel="steps", ylabel="total time (s)")
_ = ax.legend()

for eager, name in (("float32", "compiled"), ("bfloat16", "both")):
    saving = step[eager] - step[name]
    steps = (runs[name].seconds[0] - step[name]) / saving if saving > 0 else None
    when = f"after {steps:,.0f} steps" if steps else "never, on this processor"
    print(f"{name} overtakes {eager} {when}")

assert apart["compiled"] < 5e-3 and apart["compiled"] < apart["bfloat16"] / 3
assert max(apart["bfloat16"], apart["both"]) < 0.5 * apart["other start"]
assert min(run.losses[0] - run.losses[-1] for run in runs.values()) > 0.8
assert memory["bfloat16"] < 0.9 * memory["float32"]
assert memory["compiled"] < 0.9 * memory["float32"]
assert memory["both"] < 0.9 * memory["compiled"]
assert runs["compiled"].seconds[0] > 5 * step["compiled"]

# %%
# To vary: ``WIDTH``, with which the products outgrow what lies between them, or
# ``torch.compile`` for the whole network.
