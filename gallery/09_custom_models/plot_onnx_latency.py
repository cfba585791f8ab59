"""
The same network without PyTorch
================================

We train a small network, export it to ONNX and let ONNX Runtime answer. Is it still
the same network, and is it faster? It gives the same answers to within rounding,
for one image as for a thousand. But only because we said that the number of images
may vary: the careless export refuses any other. Whether it is faster, we measure on
your processor, against PyTorch with the same rewrite of the network. ONNX Runtime
has most to offer for one image at a time, where calls cost more than arithmetic.
"""

import copy
import tempfile
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.data import DataLoader

from tenphases import budget, data, get_device, set_seed, viz
from tenphases.benchmarks import device_name, fastest
from tenphases.models.convnets import DigitNet
from tenphases.training import accuracy, fit, supervised

viz.use_style()
SEED = 0
torch.set_num_threads(1)  # as many as we shall give to ONNX Runtime
folder = Path(tempfile.mkdtemp())

# %%
# A network to hand over
# ----------------------
# ``DigitNet`` learns digits for a moment. Then it goes to the CPU and into
# evaluation mode. The order matters: the exporter writes down what the network does
# *now*, and in training mode batch normalisation would look at the other images of
# the batch.

set_seed(SEED)
digits = data.mnist()
model = DigitNet().to(get_device())
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
loader = DataLoader(digits.train, 64, shuffle=True, drop_last=True)
loss_fn = supervised(nn.CrossEntropyLoss())
fit(model, loader, loss_fn, optimizer, epochs=budget(cpu=3, gpu=8))
model.to("cpu").eval()
images, targets = digits.test.tensors
with torch.inference_mode():
    logits = model(images)  # (N, 10)
print(f"test accuracy in PyTorch: {accuracy(logits, targets):.3f}")

# %%
# Export, carelessly and with care
# --------------------------------
# The exporter follows one example through the network. Every size it meets is taken
# for a constant, unless we declare it: ``Dim("batch")`` says that the first axis may
# have any length. The example has two images, not one, because a size of one is
# often special. ``onnx.checker`` reads the file back and checks each operation's
# types and shapes.


def export(name, **options):
    example = torch.zeros(2, 1, 28, 28)
    program = torch.onnx.export(
        model, (example,), input_names=["images"], verbose=False, **options
    )
    program.save(folder / name)
    onnx.checker.check_model(folder / name, full_check=True)
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    settings.log_severity_level = 4  # errors are raised; do not print them as well
    return onnxruntime.InferenceSession(
        folder / name, settings, providers=["CPUExecutionProvider"]
    )


fixed = export("fixed.onnx")
session = export("digits.onnx", dynamic_shapes=({0: torch.export.Dim("batch")},))


def by_onnx(images, session=session):
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0])


refused = ""
try:
    by_onnx(images[:3], fixed)
except onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument as error:
    refused = str(error)
    print(refused)

# %%
# Is it the same network?
# -----------------------
# Agreement on one random batch proves little. We ask for batches of many sizes, all
# real images, and all logits.

print(f"{'images':>8}{'largest difference of a logit':>32}")
for size in (1, 2, 3, 17, 100, len(images)):
    theirs = by_onnx(images[:size])
    print(f"{size:8}{(theirs - logits[:size]).abs().max():32.1e}")
    torch.testing.assert_close(theirs, logits[:size], rtol=1e-3, atol=1e-4)
theirs = by_onnx(images)
agree = (theirs.argmax(dim=1) == logits.argmax(dim=1)).float().mean()
print(f"same answer for {agree:.1%} of {len(images)} test images")
print(f"test accuracy in ONNX Runtime: {accuracy(theirs, targets):.3f}")

# %%
# What is in the file
# -------------------
# The difference is not zero, and the list of operations tells why. PyTorch runs five
# batch normalisations; the file has none. In evaluation mode each is a fixed
# multiplication and shift of every channel, which the exporter moved into the
# weights of the convolution before it. The same product in another order rounds
# differently. PyTorch offers this rewrite too, so a fair comparison includes it.

graph = onnx.load(folder / "digits.onnx").graph
print("operations:", *[node.op_type for node in graph.node])

folded = copy.deepcopy(model)
for block in folded.features:
    if isinstance(block, nn.Sequential):
        block[0] = fuse_conv_bn_eval(block[0], block[1])
        block[1] = nn.Identity()
with torch.inference_mode():
    torch.testing.assert_close(folded(images), logits, rtol=1e-3, atol=1e-4)

# %%
# What an image costs
# -------------------
# Three candidates take turns, each on one thread, and of their rounds we keep the
# fastest. On the left the time for one image, on the right how many times as fast as
# PyTorch's network as we trained it.

CANDIDATES = {"PyTorch": model, "PyTorch, folded": folded, "ONNX Runtime": by_onnx}
sizes = [1, 2, 4, 8, 16, 32, 64, 128]
times = {name: [] for name in CANDIDATES}
with torch.inference_mode():
    for size in sizes:
        batch = images[torch.arange(size) % len(images)]
        best = dict.fromkeys(CANDIDATES, float("inf"))
        for _ in range(4):
            for name, network in CANDIDATES.items():
                work = partial(network, batch)
                taken = fastest(work, budget=0.02, repeats=3)
                best[name] = min(best[name], taken / size)
        for name, seconds in best.items():
            times[name].append(seconds)

# sphinx_gallery_alt = "Two line charts over the number of images in a batch, 1 to 128, on a logarithmic axis. Left, microseconds for an image: PyTorch and the folded network fall at first; ONNX Runtime's curve is the lowest for small batches. Right, speed relative to PyTorch, a dashed line at one: ONNX Runtime's curve starts well above it, the folded network's lies nearer to it."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2))
colors = dict(zip(CANDIDATES, (viz.GREY, viz.ORANGE, viz.BLUE), strict=True))
for name, seconds in times.items():
    micro = [1e6 * s for s in seconds]
    axes[0].plot(sizes, micro, ".-", color=colors[name], label=name)
    speed = [a / b for a, b in zip(times["PyTorch"], seconds, strict=True)]
    if name != "PyTorch":
        axes[1].plot(sizes, speed, ".-", color=colors[name])
axes[1].axhline(1, color=viz.MUTED, linestyle="--", linewidth=1)
for ax in axes:
    ax.set_xscale("log", base=2)
    ax.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"])
    ax.set_xlabel("images in a batch")
axes[0].set(ylim=(0, None), ylabel="time for an image (µs)")
axes[1].set(ylim=(0, None), ylabel="speed (PyTorch = 1)")
_ = fig.legend(loc="outside upper center", ncols=3)

# %%
# A single image keeps every candidate busy with calls: choosing a kernel, reserving
# memory, going through Python. A batch shares that cost among its images, until what
# it computes no longer fits into the processor's cache. ONNX
# Runtime planned its memory, chose its kernels and laid out the weights for them when
# it read the file, and runs the list without Python. So it has most to offer where
# calls dominate: in a service that answers one request at a time. For large batches
# what counts is how well the convolutions are written for your processor.

print(f"on this processor ({device_name('cpu')}, one thread):")
for size in (1, 16, 128):
    now = {name: seconds[sizes.index(size)] for name, seconds in times.items()}
    won = min(now, key=now.get)
    row = ", ".join(f"{name} {1e6 * s:.0f} µs" for name, s in now.items())
    print(f"batch {size:3}: {row} an image; first: {won}")

kinds = [node.op_type for node in graph.node]
assert refused and "BatchNormalization" not in kinds
assert kinds.count("Conv") == 5 and agree > 0.998
assert accuracy(logits, targets) > 0.9
assert times["PyTorch"][0] > 1.15 * min(times["PyTorch"])
gains = [a / b for a, b in zip(times["PyTorch"], times["ONNX Runtime"], strict=True)]
assert gains[0] > 0.8 and gains[0] > 0.7 * gains[-1]

# %%
# To vary: the width of the network, the number of threads, or an export in training
# mode, which changes the answers.
