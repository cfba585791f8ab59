"""
A tiny autograd on two moons
============================

An autograd engine of thirty lines, which differentiates one number at a time,
learns to separate two moons. How much slower is it than PyTorch, and why? From
the same weights both arrive at the same weights, to the last digits. For a batch
of one point the tiny engine is the *faster* of the two. But its time grows with
the batch, PyTorch's hardly does, and at a thousand points it is hundreds of
times slower. Only a small part of that time is arithmetic, and a large part can be a
search for garbage that does not exist.
"""

import gc
import math
import random
import time
from itertools import count, pairwise

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.nn import functional as F

from tenphases import viz

viz.use_style()
torch.set_num_threads(1)

# %%
# The engine
# ----------
# Each ``Value`` keeps what it was made of, and the slope towards each of these
# inputs. The chapter :ref:`backprop-from-scratch` builds it step by step. Here the
# backward pass comes in two functions, so that we can time them apart.


class Value:
    made = count()

    def __init__(self, data, inputs=(), slopes=()):
        self.data, self.grad = data, 0.0
        self.inputs, self.slopes = inputs, slopes
        self.born = next(Value.made)

    def __add__(self, other):
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other):
        slopes = (other.data, self.data)
        return Value(self.data * other.data, (self, other), slopes)

    def tanh(self):
        y = math.tanh(self.data)
        return Value(y, (self,), (1 - y * y,))


def in_order(loss):
    """Every value that the loss was made of, the latest first."""
    found, todo = {loss}, [loss]
    while todo:
        new = set(todo.pop().inputs) - found
        found |= new
        todo.extend(new)
    return sorted(found, key=lambda value: value.born, reverse=True)


def sweep(values):
    values[0].grad = 1.0
    for value in values:
        for source, slope in zip(value.inputs, value.slopes, strict=True):
            source.grad += slope * value.grad


# %%
# A network and its twin
# ----------------------
# A hidden layer of eight units. The targets are 1 and -1, and the loss is the
# mean squared error. ``forward`` takes any kind of number: given plain floats, it
# does the arithmetic alone, which we shall need for comparison.

x, labels = make_moons(1024, noise=0.15, random_state=0)
points, signs = x.tolist(), (2.0 * labels - 1).tolist()
random.seed(0)
WEIGHTS = [  # a row for each unit; its last number is the bias
    [[random.gauss(0, n**-0.5) for _ in range(n)] + [0.0] for _ in range(m)]
    for n, m in [(2, 8), (8, 1)]
]


def unit(row, h):
    z = row[-1]
    for w, v in zip(row, h, strict=False):
        z = z + w * v
    return z


def forward(hidden, output, rows, number, tanh):
    loss = number(0.0)
    for i in rows:
        point = [number(v) for v in points[i]]
        h = [tanh(unit(row, point)) for row in hidden]
        error = unit(output[0], h) + number(-signs[i])
        loss = loss + error * error
    return loss * number(1 / len(rows))


# %%
# Now a training step of the engine, and the same network in PyTorch with the same
# weights and its own training step.

values = [[[Value(v) for v in row] for row in layer] for layer in WEIGHTS]
parameters = [v for layer in values for row in layer for v in row]


def engine_step(rows, lr=0.1):
    loss = forward(*values, rows, Value, Value.tanh)
    sweep(in_order(loss))
    for p in parameters:
        p.data -= lr * p.grad
        p.grad = 0.0
    return loss.data


inputs, targets = torch.tensor(x), torch.tensor(signs, dtype=torch.float64)
model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)).double()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
with torch.no_grad():
    for layer, rows in zip((model[0], model[2]), WEIGHTS, strict=True):
        *weight, bias = torch.tensor(rows, dtype=torch.float64).T
        layer.weight.copy_(torch.stack(weight, dim=1))
        layer.bias.copy_(bias)


def torch_step(rows):
    rows = torch.tensor(rows)
    loss = F.mse_loss(model(inputs[rows]).squeeze(1), targets[rows])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


# %%
# Do they agree?
# --------------
# Both train on the same 400 batches of sixteen points, from 200 of the points.
# The weights at the end are the same, and so is each loss on the way.

batches = [random.sample(range(200), 16) for _ in range(400)]
losses = torch.tensor([(engine_step(rows), torch_step(rows)) for rows in batches])
ours = torch.tensor([p.data for p in parameters], dtype=torch.float64)
pairs = [torch.column_stack([m.weight, m.bias]) for m in (model[0], model[2])]
theirs = torch.cat([pair.flatten() for pair in pairs]).detach()
torch.testing.assert_close(*losses.T)
torch.testing.assert_close(ours, theirs)
right = (model(inputs[200:]).squeeze(1) * targets[200:] > 0).double().mean()
print(f"largest difference of a weight: {(ours - theirs).abs().max():.1e}")
print(f"on the right side, of the other points: {right:.1%}")
assert right > 0.85

# sphinx_gallery_alt = "Two interlocking half moons of points in orange and blue, the plane shaded in the same two colours. The border winds between the moons; a few points at the tips lie on the wrong side of it."
fig, ax = plt.subplots(figsize=(5.4, 3.2))
low, high = inputs.amin(0) - 0.3, inputs.amax(0) + 0.3
a, b = (torch.linspace(low[i], high[i], 150).double() for i in (0, 1))
heights = model(torch.cartesian_prod(a, b)).reshape(150, 150).T.detach()
colors = [viz.ORANGE, viz.BLUE]
ax.contourf(a, b, heights, [-1e3, 0, 1e3], colors=colors, alpha=0.25)
for sign, color in zip((-1, 1), colors, strict=True):
    ax.plot(*inputs[targets == sign].T, ".", color=color, markersize=3)
ax.set(xlabel="first coordinate", ylabel="second coordinate")
ax.grid(False)

# %%
# How much slower is it?
# ----------------------
# One step of each, from one point to 1,024; the fastest of several tries.


def seconds(step, rows, tries):
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        step(rows)
        times.append(time.perf_counter() - start)
    return min(times)


sizes = [2**k for k in range(11)]
times = {}
for name, step in [("tiny engine", engine_step), ("torch", torch_step)]:
    times[name] = [1e3 * seconds(step, range(n), max(3, 64 // n)) for n in sizes]
    print(f"{name:11}", *(f"{t:5.3g}" for t in times[name]), "ms")

# sphinx_gallery_alt = "Line chart of the time per step against the number of points in the batch, both axes logarithmic. The line of torch runs nearly flat. That of the tiny engine begins below it, crosses it after a few points and rises steadily to hundreds of times as much at 1,024 points."
fig, ax = plt.subplots(figsize=(6.4, 3.2))
for name, color in zip(times, viz.COLORS, strict=False):
    ax.loglog(sizes, times[name], "o-", color=color)
    ax.text(1200, times[name][-1], name, color=color, va="center")
ax.set(xlabel="points in the batch", ylabel="time per step (ms)", xlim=(0.9, 5000))
ax.set_xticks(sizes, sizes)
ax.minorticks_off()

assert times["tiny engine"][0] < 3 * times["torch"][0]
assert times["tiny engine"][-1] > 50 * times["torch"][-1]

# %%
# PyTorch pays for each *operation*: finding the right routine, checking shapes,
# recording what happened. A step of this network has a few dozen operations, and
# as long as the tensors are small it hardly matters what is in them. The engine
# pays for each *number*. One point makes about a hundred of them, and that is
# quickly done.
#
# Where does the time go?
# -----------------------
# We time the stages of a step one by one. Python's garbage collector is switched
# off meanwhile, and timed in a step of its own: it calls us whenever it begins
# and ends.

collector = []
gc.callbacks.append(lambda phase, info: collector.append(time.perf_counter()))


def stages(rows):
    """Seconds of arithmetic, making values, ordering, sweeping, collecting."""
    gc.disable()
    marks = [time.perf_counter()]
    forward(*WEIGHTS, rows, float, math.tanh)
    marks.append(time.perf_counter())
    loss = forward(*values, rows, Value, Value.tanh)
    marks.append(time.perf_counter())
    order = in_order(loss)
    marks.append(time.perf_counter())
    sweep(order)
    marks.append(time.perf_counter())
    gc.enable()
    spent = [end - start for start, end in pairwise(marks)]
    spent[1] -= spent[0]  # making values does the arithmetic, too
    collector.clear()
    engine_step(rows)
    return [*spent, sum(collector[1::2]) - sum(collector[0::2])]


names = ["arithmetic", "making values", "ordering", "sweeping back", "collector"]
shares = {}
for n in (1, 16, 1024):
    runs = torch.tensor([stages(range(n)) for _ in range(max(3, 64 // n))])
    parts = runs.median(dim=0).values
    parts[-1] = runs[:, -1].mean()  # it does not come at every step
    shares[n] = parts / parts.sum()

# %%
# Each bar is a step, divided into its stages.

# sphinx_gallery_alt = "Three horizontal bars, for 1, 16 and 1,024 points, each divided into arithmetic, making values, ordering, sweeping back and collector. The arithmetic is the smallest or second smallest part in all of them. The collector has next to nothing at 1 point and grows with the batch."
fig, ax = plt.subplots(figsize=(7.2, 2.2))
left = torch.zeros(3)
columns = torch.stack([*shares.values()], dim=1)
for name, part, color in zip(names, columns, viz.COLORS, strict=True):
    ax.barh(range(3), part, left=left, color=color, label=name)
    left += part
ax.set_yticks(range(3), ["1 point", "16 points", "1,024 points"])
ax.set(xlabel="share of the time of a step", ylim=(2.6, -0.6), xlim=(0, 1))
ax.legend(ncols=5, loc="lower center", bbox_to_anchor=(0.45, 1), columnspacing=1)
ax.grid(False)

# %%
# The arithmetic, which is all that the forward pass has to compute, is a small
# part at the left. The rest is bookkeeping. In large batches a new expense comes
# in, the garbage collector. It starts whenever many objects have been made, and
# from time to time it looks through *all* objects of the program, those of every
# imported library included. It finds nothing: a value points only to older
# values, so there are no cycles, and Python frees them without its help. Then we
# can do without it, too.

print(f"{len(gc.get_objects()):,} objects to look through")
start = time.perf_counter()
for _ in range(3):
    engine_step(range(1024))
middle = time.perf_counter()
gc.disable()
for _ in range(3):
    engine_step(range(1024))
end = time.perf_counter()
gc.enable()
print(f"three steps: {middle - start:.2f} s, without collector {end - middle:.2f} s")
assert shares[16][0] < 0.5

# %%
# How much that saves depends on the version of Python. To vary: the width of the
# network, which moves the point where the two lines cross.
