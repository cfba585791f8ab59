"""
Pairwise distances in four ways
===============================

How far is each of many points from each of the others? A Python loop,
broadcasting, a matrix product and ``torch.cdist`` all give the table of
distances. On images of digits the matrix product is far faster than broadcasting
and needs a small part of its memory. On a map of towns the same product is wrong
by kilometres, and some towns lie kilometres from themselves. The library does
so too, without a word, as soon as there are more than 25 points. The cure costs
little: shortlist with the product, then measure the shortlist exactly.
"""

import csv
import gzip
import math
import os
from functools import partial

os.environ["KINETO_LOG_LEVEL"] = "6"  # the profiler's log lines: none

import matplotlib.pyplot as plt
import torch
from torch.profiler import ProfilerActivity, profile

from tenphases import benchmarks, data, viz
from tenphases.data.core import package_file

viz.use_style()
torch.set_num_threads(1)

# %%
# Four ways
# ---------
# The first is the definition, pair by pair. The second is the same without the
# loop: the difference of every pair, of shape (N, M, D), then a sum. The third
# multiplies out,
#
# .. math:: \lVert a - b \rVert^2
#           = \lVert a \rVert^2 + \lVert b \rVert^2 - 2 \, a \cdot b,
#
# and leaves all inner products to one matrix product. Rounding can make its
# result a little negative, hence the ``clamp``. The fourth is the library.


def loop(a, b):
    distances = [(x - y).square().sum().sqrt() for x in a for y in b]
    return torch.stack(distances).reshape(len(a), len(b))


def broadcasting(a, b):
    difference = a[:, None] - b  # (N, 1, D) - (M, D) -> (N, M, D)
    return difference.square().sum(dim=2).sqrt()


def squares(a, b):
    lengths = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    return lengths - 2 * a @ b.T  # (N, M)


def product(a, b):
    return squares(a, b).clamp(min=0).sqrt()


def differences(a, b):
    """What the library does if it may not use a matrix product."""
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")


digits = data.mnist().train.tensors[0].flatten(1)  # (N, 784)
few, others = digits[:30], digits[30:50]
for way in (broadcasting, product, torch.cdist, differences):
    torch.testing.assert_close(way(few, others), loop(few, others))

# %%
# Time and memory
# ---------------
# They agree on these digits. What do they cost? We time tables of N digits
# against themselves on one thread, and ask the profiler for every allocation,
# whose largest running sum is the memory needed at the worst moment. A way leaves
# the race when it has become slow.


def peak_memory(work):
    cpu = [ProfilerActivity.CPU]
    with profile(activities=cpu, profile_memory=True) as prof:
        work()
    events = prof.profiler.kineto_results.events()
    blocks = [e for e in events if e.name() == "[memory]"]
    now = peak = 0
    for block in sorted(blocks, key=lambda e: e.start_ns()):
        now += block.nbytes()  # negative where memory is given back
        peak = max(peak, now)
    return peak


WAYS = {
    "loop": (loop, 25),
    "broadcasting": (broadcasting, 100),
    "matrix product": (product, 1000),
    "torch.cdist": (torch.cdist, 1000),
    "cdist, no product": (differences, 100),
}
SIZES = (5, 12, 25, 26, 50, 100, 200, 500, 1000)
cost = {}
for name, (way, last) in WAYS.items():
    for n in (size for size in SIZES if size <= last):
        work = partial(way, digits[:n], digits[:n])
        cost[name, n] = benchmarks.fastest(work), peak_memory(work)

# %%
# Both axes of both panels are logarithmic.

# sphinx_gallery_alt = "Two panels with logarithmic axes against the number of points. Left, time: the loop is slowest by far, broadcasting and cdist without a product rise steeply, the matrix product is lowest for many points. torch.cdist follows cdist without a product up to 25 points, drops at 26 and follows the matrix product from there. Right, memory: broadcasting lies far above all others, cdist without a product far below; torch.cdist leaps from the second to the level of the matrix product at 26 points."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.6))
for color, name in zip(viz.COLORS, WAYS, strict=True):
    sizes = [n for key, n in cost if key == name]
    dashes = "--" if name == "torch.cdist" else "-"
    for ax, i, scale in ((axes[0], 0, 1e3), (axes[1], 1, 1e-6)):
        values = [scale * cost[name, n][i] for n in sizes]
        ax.plot(sizes, values, dashes, marker=".", color=color, label=name)
axes[0].set(xscale="log", yscale="log", xlabel="points", ylabel="time (ms)")
axes[1].set(xscale="log", yscale="log", xlabel="points",
            ylabel="peak memory (MB)")
fig.legend(*axes[0].get_legend_handles_labels(), ncols=3,
           loc="outside upper center")

table = 100 * 100 * 4  # bytes of the result
for name in ("broadcasting", "matrix product", "torch.cdist"):
    times = cost[name, 100][1] / table
    print(f"{name:15} peak: {times:6.0f} times the size of the result")
assert cost["broadcasting", 100][1] > 20 * cost["torch.cdist", 100][1]
assert cost["broadcasting", 100][0] > 2 * cost["matrix product", 100][0]
assert cost["torch.cdist", 26][1] > 10 * cost["torch.cdist", 25][1]

# %%
# Broadcasting keeps the difference of every pair, and its square. The matrix
# product never makes them. And ``torch.cdist`` has a secret: with up to 25 rows
# it takes differences, without storing them, and from 26 rows on it is the
# matrix product. One more point, and it is faster than before.
#
# Towns that are not where they are
# ---------------------------------
# The digits forgive all this. Our second data are the world's towns, in kilometres
# from the centre of the Earth. We ask for the straight distance of three hundred
# of them from all, in ``float32``, and compare with differences in ``float64``.

R = 6371.0  # radius of the Earth in km
file_name = "_data/world_cities.csv.gz"
path = package_file("bokeh_sampledata", file_name, "the map of towns")
with gzip.open(path, "rt", encoding="utf-8") as file:  # GeoNames, CC BY 3.0
    rows = list(csv.DictReader(file))
degrees = [[float(row["lat"]), float(row["lng"])] for row in rows]
lat, lon = torch.tensor(degrees, dtype=torch.float64).deg2rad().T  # (N,) each
xyz = [lat.cos() * lon.cos(), lat.cos() * lon.sin(), lat.sin()]
towns64 = R * torch.stack(xyz, dim=1)  # (N, 3)
towns = towns64.float()

generator = torch.Generator().manual_seed(0)
some = torch.randperm(len(towns), generator=generator)[:300]
itself = torch.arange(300), some
truth = differences(towns64[some], towns64)  # (300, N)

found = {"float64": truth}
print(f"{len(towns)} towns    largest error   furthest from itself")
for name in ("broadcasting", "matrix product", "torch.cdist"):
    found[name] = WAYS[name][0](towns[some], towns)
    error = (found[name] - truth).abs().max()
    print(f"{name:15} {error:11.4f} km {found[name][itself].max():15.4f} km")

assert (found["broadcasting"] - truth).abs().max() < 0.01
for name in ("matrix product", "torch.cdist"):
    assert (found[name] - truth).abs().max() > 1
assert torch.cdist(towns[:25], towns[:25]).diagonal().max() == 0
assert torch.cdist(towns[:999], towns[:999]).diagonal().max() > 1

# %%
# Where the kilometres come from
# ------------------------------
# For two near towns the third way subtracts two numbers near :math:`2 R^2`,
# some eighty million, and what it wants is their small difference. This is called
# cancellation. Up there ``float32`` has only every eighth number
# (:ref:`tensor-basics` has the formula), so the square of a short distance comes
# out as a multiple of eight. Towns can be 0, :math:`\sqrt 8`, :math:`\sqrt{16}`
# kilometres apart and nothing between. In general the square is off by about
# :math:`\varepsilon R^2`, and the distance :math:`d` therefore by
# :math:`\varepsilon R^2 / d`: the nearer, the worse.

eps = torch.finfo(torch.float32).eps
step = eps * 2 ** math.floor(math.log2(2 * R**2))
near = (truth < 12) & (truth > 0)
assert step == 8
assert (squares(towns[some], towns)[near] % step == 0).all()

# %%
# To put the digits into the same picture, we take the mean length of a digit for
# their :math:`R`. The line is the estimate.

x = digits[:1000]
digits_truth = differences(x.double(), x.double())
radius = x.norm(dim=1).mean().item()


def spread(true, computed):
    """Some 600 pairs, evenly spread over the logarithm of their distance."""
    true, order = true.flatten().sort()
    low, high = true[true > 0][0].log10(), true[-1].log10()
    wanted = torch.logspace(low, high, 600, dtype=torch.float64)
    at = torch.searchsorted(true, wanted).clamp(max=len(true) - 1).unique()
    return true[at], (computed.flatten()[order[at]] - true[at]).abs()


# sphinx_gallery_thumbnail_number = 2
# sphinx_gallery_alt = "Left, computed against true distance for pairs of towns closer than 12 km: those by broadcasting lie on the diagonal, those by the matrix product on the steps of a staircase, at 0, 2.8, 4.0, 4.9 km and so on. Right, error against distance, both in units of R, on logarithmic axes: the largest errors of the towns fall along a straight line over four decades; the digits are a small cloud at its lower end."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.6))
for name, color in zip(("matrix product", "broadcasting"),
                       (viz.ORANGE, viz.BLUE), strict=True):
    x_axis, y_axis = truth[near][:800], found[name][near][:800]
    axes[0].plot(x_axis, y_axis, ".", color=color, markersize=3, label=name)
axes[0].set(xlabel="true distance (km)", ylabel="computed distance (km)")
for name, color, size, pairs in (
    ("towns", viz.ORANGE, R, (truth[:50], found["matrix product"][:50])),
    ("digits", viz.GREEN, radius, (digits_truth, product(x, x))),
):
    d, error = (values / size for values in spread(*pairs))
    axes[1].plot(d, error.clamp(min=1e-9), ".", color=color, markersize=3,
                 label=name)
d = torch.logspace(-4, 0.3, 50)
axes[1].plot(d, eps / d, color=viz.INK, linewidth=1, label="ε / distance")
axes[1].set(xscale="log", yscale="log", xlabel="distance / R",
            ylabel="error / R")
for ax in axes:
    ax.legend(markerscale=3)

# %%
# Does it matter?
# ---------------
# It depends on the question. Which is the nearest town, and which the nearest
# digit? The digits are as far from each other as from the origin, so nothing
# cancels. The towns are crowded on a sphere far from it. Moving the origin into
# the crowd would help within one country; on a globe there is no such place.
# Two cures work everywhere: ``float64``, and a shortlist. The product finds
# sixteen candidates, and ``gather`` measures these by their differences.


def nearest(table, own):
    table = table.clone()
    table[torch.arange(len(table)), own] = math.inf  # oneself does not count
    return table.argmin(dim=1)


def shortlist(a, b, own, size=16):
    table = product(a, b)
    table[torch.arange(len(a)), own] = math.inf
    rows = table.topk(size, largest=False).indices  # (N, 16)
    best = (a[:, None] - b[rows]).square().sum(dim=2).argmin(dim=1)
    return rows.gather(1, best[:, None])[:, 0]


answers = {name: nearest(table, some) for name, table in found.items()}
answers["product, float64"] = nearest(product(towns64[some], towns64), some)
answers["product, shortlist"] = shortlist(towns[some], towns, some)
best = truth.gather(1, answers["float64"][:, None])
wrong = {}
for name, answer in answers.items():
    detour = truth.gather(1, answer[:, None]) - best  # km
    wrong[name] = (detour > 0.01).float().mean().item()
    print(f"{name:18} {wrong[name]:5.1%} wrong, up to {detour.max():.2f} km")
every = torch.arange(len(x))
wrong_digits = nearest(product(x, x), every) != nearest(digits_truth, every)
print(f"digits             {wrong_digits.float().mean():5.1%} wrong")

assert wrong["matrix product"] > 0.01 and wrong["torch.cdist"] > 0.01
assert wrong["product, float64"] == wrong["product, shortlist"] == 0
assert wrong["broadcasting"] == 0 and wrong_digits.sum() <= 1

# %%
# If you need distances that are small compared with the vectors, say so to the
# library: ``compute_mode="donot_use_mm_for_euclid_dist"``. To vary: towns of one
# country with the origin at their mean, or the digits with 100 added to every
# pixel.
