"""
Two processes, one model
========================

Two processes train one network, each on half of every batch. Do they find the
weights that a single process would have found, and are they twice as fast? The
weights agree to the last digits. Forget the sampler, and both work on the same
images: nothing fails, and two processes do what one would do with half the batch.
How much time goes into talking depends on how much a network computes with each
weight. A small one waits for much of each step. A convolution, which uses each
weight in many places, hardly notices.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from tenphases import budget, data, viz
from tenphases.models.mlp import mlp

viz.use_style()
torch.set_num_threads(1)
SEED, BATCH, EPOCHS, ROUNDS = 0, 256, budget(cpu=6, gpu=12), 3
folder = Path(tempfile.mkdtemp())

# %%
# What one process would do
# -------------------------
# First the ordinary loop, without anything distributed: it is the measure of what
# follows. It computes in float64, so that rounding cannot hide a mistake. The order
# of the images is drawn anew for each epoch from ``SEED + epoch``.

images, targets = data.mnist().train.tensors
images, targets = images[:4000].double(), targets[:4000]
torch.save((images, targets), folder / "digits.pt")


def alone(batch):
    torch.manual_seed(SEED)
    model, losses = mlp(784, 32, 10).double(), []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(EPOCHS):
        generator = torch.Generator().manual_seed(SEED + epoch)
        order = torch.randperm(len(images), generator=generator)
        for rows in order.split(batch):
            loss = F.cross_entropy(model(images[rows].flatten(1)), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return model.state_dict(), losses


PAIRS = {"sampler": BATCH, "no sampler": BATCH // 2}  # what we shall compare
single = {batch: alone(batch) for batch in PAIRS.values()}

# %%
# What each of two does
# ---------------------
# ``torchrun`` starts a script several times and tells each copy its number, the
# *rank*. So the worker must be a file, and we write it from a string, which works in
# a notebook too. ``init_process_group`` lets the copies find each other.

WORKER = """
import json, sys, time
from contextlib import nullcontext
import torch
import torch.distributed as dist
from torch.nn import Flatten, Sequential, functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler
from tenphases.models.convnets import DigitNet
from tenphases.models.mlp import mlp

options = json.loads(sys.argv[1])
torch.set_num_threads(1)
dist.init_process_group("gloo")  # for GPUs: "nccl"
rank, world = dist.get_rank(), dist.get_world_size()
if rank == options["fails"]:
    raise ValueError(f"rank {rank} has no data")
images, targets = torch.load("digits.pt")
"""

# %%
# The loop is the one above with three additions. ``DistributedSampler`` deals the
# images out like cards; it needs ``set_epoch``, or it deals in the same order for
# ever. ``DistributedDataParallel`` averages the gradients during ``backward``, and then
# each process makes the same step. And the loss is averaged, to report it.

WORKER += """
def train(sampler, batch):
    torch.manual_seed(options["seed"])
    model, losses = mlp(784, 32, 10).double(), []
    ddp = DistributedDataParallel(model)
    optimizer = torch.optim.SGD(ddp.parameters(), lr=0.1, momentum=0.9)
    for epoch in range(options["epochs"]):
        sampler.set_epoch(epoch)
        for rows in torch.tensor(list(sampler)).split(batch):
            loss = F.cross_entropy(ddp(images[rows].flatten(1)), targets[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            dist.all_reduce(loss := loss.detach())
            losses.append(loss.item() / world)
    return model.state_dict(), losses
"""

# %%
# We also want times, of three kinds in turns: one process with the whole batch, while
# the other waits; two that compute but do not average (``no_sync``); and two that do.

WORKER += """
def step_times(model, steps, batch):
    ddp, best = DistributedDataParallel(model), {}
    for kind in ["alone", "silent", "talking"] * options["rounds"]:
        net, n = (model, batch) if kind == "alone" else (ddp, batch // world)
        dist.barrier()
        start = time.perf_counter()
        for _ in range(steps if rank == 0 or kind != "alone" else 0):
            with ddp.no_sync() if kind == "silent" else nullcontext():
                F.cross_entropy(net(images[:n].float()), targets[:n]).backward()
            model.zero_grad()
        taken = torch.tensor((time.perf_counter() - start) / steps)
        dist.all_reduce(taken, dist.ReduceOp.MAX)  # the slower process counts
        best[kind] = min(best.get(kind, 1e9), taken.item())
    return {"parameters": sum(p.numel() for p in model.parameters()), **best}
"""

# %%
# At the end stands what is to be done. The mistake is there on purpose: a sampler that
# was not told of the other process.

WORKER += """
batch, seed = options["batch"], options["seed"]
deal = DistributedSampler(images, seed=seed)
mistaken = DistributedSampler(images, 1, 0, seed=seed)  # one process, number 0
runs = {
    "same order": list(deal) == list(deal),  # without set_epoch in between
    "sampler": train(deal, batch // world),
    "no sampler": train(mistaken, batch // world),
}
networks = {
    "small MLP": (Sequential(Flatten(), mlp(784, 32, 10)), 40),
    "big MLP": (Sequential(Flatten(), mlp(784, 1024, 1024, 10)), 3),
    "CNN": (DigitNet(), 2),
}
runs["times"] = {k: step_times(net, n, batch) for k, (net, n) in networks.items()}
if rank == 0:
    torch.save(runs, "runs.pt")
dist.destroy_process_group()
"""
_ = (folder / "worker.py").write_text(WORKER)

# %%
# Start them, and hear of failures
# --------------------------------
# ``--standalone`` means: all processes on this machine. If one of them fails,
# ``torchrun`` ends the others and returns an error, and what the failed one said
# stands among the rest of its output. We pass it on. A run that fails silently, or
# waits for ever for a process that is gone, would be worse than none.


def torchrun(fails=None):
    options = {"seed": SEED, "batch": BATCH, "epochs": EPOCHS, "rounds": ROUNDS}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node=2", "--local-addr=127.0.0.1"]
    command += ["worker.py", json.dumps({**options, "fails": fails})]
    options = {"cwd": folder, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
    options |= {"capture_output": True, "text": True, "timeout": 300}
    done = subprocess.run(command, **options)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "Error: " in line]
        raise RuntimeError((said or [done.stderr[-2000:]])[0])
    return torch.load(folder / "runs.pt")


failure = ""
try:
    torchrun(fails=1)
except RuntimeError as error:
    failure = str(error)
    print("torchrun failed:", failure)
two = torchrun()

# %%
# The same weights?
# -----------------
# With the sampler, two halves of a batch give the gradient of the whole batch, so
# the weights must be those of one process with all 256 images. Without it, both
# processes see the same 128 images, and the average of two equal gradients is one of
# them.


def distance(a, b):
    return max((a[name] - b[name]).abs().max().item() for name in a)


for name in PAIRS:
    for batch, (expected, _) in single.items():
        apart = distance(two[name][0], expected)
        print(f"two, {name:10} and one, batch {batch}: weights differ by {apart:.1e}")
print("without set_epoch, the same order twice:", two["same order"])

# sphinx_gallery_alt = "Line chart of the training loss over epochs. A thick pale line, one process with batch 256, is covered exactly by a thin line, two processes with sampler. Another pale line, one process with batch 128, is covered exactly by two processes without sampler. Both pairs fall; the second is noisier."
fig, ax = plt.subplots()
for color, (name, batch) in zip(viz.COLORS, PAIRS.items(), strict=False):
    one, both = single[batch][1], two[name][1]
    epochs = torch.linspace(0, EPOCHS, len(one))
    label = f"one process, batch {batch}"
    ax.plot(epochs, one, color=color, linewidth=5, alpha=0.3, label=label)
    ax.plot(epochs, both, color=color, linewidth=1, label=f"two, {name}")
ax.set(xlabel="epoch", ylabel="training loss", yscale="log")
_ = ax.legend()

# %%
# Nothing raises without the sampler, and the loss even falls faster for each image
# we think we have seen: in truth each image was worked on twice, in twice as many
# steps. A second machine would have bought nothing.
#
# Twice as fast?
# --------------
# Each process has one thread. One process has 256 images in a batch, two have 128
# each. The blue part of a step is what it takes when nobody averages.

# sphinx_gallery_thumbnail_number = 2
# sphinx_gallery_alt = "Three panels, one for each network: small MLP, big MLP and CNN. In each, two bars show the time of a step with one process and with two; the second bar is divided into computing and talking. Talking fills a large part of the second bar of the small MLP, a part of the big MLP's, and little of the CNN's."
fig, axes = plt.subplots(1, 3, figsize=(7.2, 3.0))
share = {}
for ax, (name, times) in zip(axes, two["times"].items(), strict=True):
    before, silent, step = (1e3 * times[k] for k in ("alone", "silent", "talking"))
    silent = min(silent, step)  # noise can turn them round
    share[name] = 1 - silent / step
    ax.bar(["one", "two"], [before, silent], color=viz.BLUE, label="computing")
    ax.bar("two", step - silent, bottom=silent, color=viz.ORANGE, label="talking")
    ax.set_xlabel(f"processes, {name}")
    print(f"{name:9}: {4 * times['parameters'] / 1e6:5.2f} MB of gradients,", end="")
    print(f" talking {share[name]:3.0%}, two are {before / step:.2f} times as fast")
axes[0].set_ylabel("forward and backward (ms)")
_ = fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)

# %%
# The small network has next to nothing to send, but every exchange has a fixed cost,
# which is much beside so short a step. The big one sends much, and computes with each
# weight only once an image. The convolutional network uses each of its few
# weights at every place of the image. More images for each process help all three:
# they lengthen the computing and not the talking. Twice as fast, two processes can
# only be where two cores are free.

for name, batch in PAIRS.items():
    assert distance(two[name][0], single[batch][0]) < 1e-9
assert distance(two["no sampler"][0], single[BATCH][0]) > 1e-3
assert two["same order"] and "rank 1 has no data" in failure
assert share["small MLP"] > max(0.05, share["CNN"]) and share["CNN"] < 0.5

# %%
# To vary: the batch, the number of processes, or ``no_sync`` for every second step,
# which is gradient accumulation.
