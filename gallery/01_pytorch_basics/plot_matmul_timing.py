"""
What Threads and GPUs Buy
=========================

NumPy, PyTorch on one thread, PyTorch on several, a GPU: which is fastest? We
time two operations, a matrix product and a square of each number, from a few
numbers to millions. The surprise is on the small side. A product of two 16 × 16
matrices has 4096 times the arithmetic of a product of two numbers and costs
hardly more, because what costs is the call. There, threads buy nothing at all,
and neither would a GPU. At the large end the two operations part: the product
waits for arithmetic, the square for memory.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import torch

from tenphases import benchmarks, get_device, set_seed, viz

viz.use_style()
set_seed(0)
device = get_device()
threads = min(os.cpu_count() or 1, 8)
accelerator = None if device.type == "cpu" else benchmarks.device_name()
print(f"processor: {benchmarks.device_name('cpu')}, {os.cpu_count()} cores")
print(f"accelerator: {accelerator}, torch {torch.__version__}")

# %%
# Two operations
# --------------
# Each is written into memory that is there already. Otherwise we would time how
# fast the system hands out memory, which for large results takes longer than the
# arithmetic. The function returns the operation ready to be called, once for
# NumPy and once for PyTorch.


def make(op, size, library, device="cpu"):
    x = torch.rand((size, size) if op == "matmul" else size, device=device)
    y = torch.empty_like(x)
    if library == "NumPy":
        x, y = x.numpy(), y.numpy()
        function = np.matmul if op == "matmul" else np.multiply
    else:
        function = torch.mm if op == "matmul" else torch.mul
    return lambda: function(x, x, out=y)


# %%
# The stopwatch
# -------------
# ``tenphases.benchmarks.fastest`` warms up, repeats, waits for the device and
# keeps the fastest block of calls, since other programs can only slow us down.
# NumPy decides for itself how many threads to use; for PyTorch we say it.

SIZES = {
    "matmul": [1, 4, 16, 64, 128, 256, 512],
    "square": [1, 100, 10_000, 100_000, 1_000_000, 10_000_000],
}
RUNNERS = {"NumPy": None, "torch, 1 thread": 1}
if threads > 1:
    RUNNERS[f"torch, {threads} threads"] = threads

rows = []


def add(op, runner, size, work, device="cpu"):
    seconds = benchmarks.fastest(work, device)
    row = {"op": op, "runner": runner, "size": size, "seconds": seconds}
    rows.append(row)


before = torch.get_num_threads()
for runner, count in RUNNERS.items():
    torch.set_num_threads(count or before)
    for op, sizes in SIZES.items():
        for size in sizes:
            add(op, runner, size, make(op, size, runner))
torch.set_num_threads(before)

# %%
# If there is a GPU, it runs twice: with the data there already, and with the
# journey there and back. With ``TENPHASES_RECORD=1`` the result is written to a
# file, from which the chapter on GPUs draws it on machines that have none.


def there_and_back(op, size):
    x = torch.rand((size, size) if op == "matmul" else size)
    function = torch.mm if op == "matmul" else torch.mul

    def work():
        there = x.to(device)
        return function(there, there).cpu()

    return work


if accelerator:
    for op, sizes in SIZES.items():
        for size in [*sizes, 1024, 4096] if op == "matmul" else sizes:
            there = make(op, size, "torch", device)
            journey = there_and_back(op, size)
            add(op, "accelerator", size, there, device)
            add(op, "accelerator, there and back", size, journey, device)
    if os.environ.get("TENPHASES_RECORD") == "1":
        print("recorded in", benchmarks.record("matmul-timing", rows))

# %%
# Time against size
# -----------------
# Both curves have a floor, the cost of a call, and a slope. Where the slope begins
# is where the hardware begins to matter. Before that point, the choice of a
# library, of threads or of a device decides nothing but the height of the floor.
# Where PyTorch begins to share the work among threads, its curve leaves that of one
# thread: downwards if the cores are free, upwards if they are not.

curves = {}
for row in rows:
    key = row["op"], row["runner"]
    curves.setdefault(key, {})[row["size"]] = row["seconds"]

# sphinx_gallery_alt = "Two panels with logarithmic axes, time against size. Left, the matrix product: all curves run flat up to about 16 rows and then rise steeply. Right, the square: flat up to about ten thousand numbers, then rising. For large sizes the curves of NumPy and of PyTorch on one thread lie close together; that of several threads leaves them."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
for (op, runner), curve in curves.items():
    ax = axes[0] if op == "matmul" else axes[1]
    microseconds = [1e6 * t for t in curve.values()]
    ax.plot(list(curve), microseconds, ".-", label=runner)
    ax.set(xscale="log", yscale="log")
axes[0].set(xlabel="matrix product: rows", ylabel="time (µs)")
axes[1].set(xlabel="square: numbers")
axes[0].legend()

one = {op: curves[op, "torch, 1 thread"] for op in SIZES}
ratio = one["matmul"][16] / one["matmul"][1]
print(f"16 x 16: {16**3} times the arithmetic, {ratio:.1f} times the time")
assert ratio < 100
if accelerator:
    journey = curves["matmul", "accelerator, there and back"]
    assert journey[1] > one["matmul"][1]

# %%
# The same, as work done
# ----------------------
# Dividing the arithmetic by the time shows how far each operation gets. The
# product reuses every number that it fetches and climbs until the arithmetic units
# are busy. The square uses each number once. It is fastest while its numbers fit
# into the cache; beyond, memory sets a limit far below that of the product. Faster
# arithmetic would not help it.

# sphinx_gallery_thumbnail_number = 2
# sphinx_gallery_alt = "Two panels with logarithmic axes, speed in GFLOP per second against size. Left, the matrix product: the curves of NumPy and of one thread climb by several orders of magnitude and level off. Right, the square: they climb to a peak at middle sizes and fall again at ten million numbers, far below the product's level."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
for (op, runner), curve in curves.items():
    ax = axes[0] if op == "matmul" else axes[1]
    flops = [2 * n**3 if op == "matmul" else n for n in curve]
    speed = [f / t / 1e9 for f, t in zip(flops, curve.values(), strict=True)]
    ax.plot(list(curve), speed, ".-", label=runner)
    ax.set(xscale="log", yscale="log")
axes[0].set(xlabel="matrix product: rows", ylabel="speed (GFLOP/s)")
axes[1].set(xlabel="square: numbers")
axes[0].legend()

product = 2 * 256**3 / one["matmul"][256] / 1e9
square = 10**7 / one["square"][10**7] / 1e9
print(f"product {product:.1f} GFLOP/s, large square {square:.1f} GFLOP/s")
assert product > 3 * square

# %%
# What do the other cores add? The table shows the time on one thread over the time
# on several. PyTorch splits an operation only if it is large enough to be worth it, so
# small sizes stay near one. Above, a value near the number of threads means that
# each had a core to itself. A value far below one means that they had not: the
# threads of one operation wait for the slowest, and on a busy machine the slowest
# waits for other programs. More threads than free cores are worse than one thread.

if threads > 1:
    for op in SIZES:
        many = curves[op, f"torch, {threads} threads"]
        for size in SIZES[op]:
            print(f"{op:7} {size:9}  {one[op][size] / many[size]:6.2f}")
    many = curves["matmul", f"torch, {threads} threads"]
    small = sorted(one["matmul"][n] / many[n] for n in SIZES["matmul"] if n <= 16)
    assert small[len(small) // 2] < 4  # one size alone may meet a busy moment

# %%
# Vary the operation: ``torch.sin`` does more arithmetic with each number than the
# square. Does it gain more from threads?
