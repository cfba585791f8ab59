"""
Which optimizer wins on which surface
=====================================

Which optimizer is the fastest way down? SGD, momentum, RMSprop and Adam race on
five surfaces, each at its own best learning rate from one grid. All four win
somewhere. The surprise is that one surface runs twice: a narrow valley, then the
same valley turned by 45 degrees. SGD and momentum do not notice. RMSprop needed
a handful of steps, and now comes in behind plain SGD. Adam falls behind momentum. Both
scale each coordinate by itself, so it matters to them how the axes happen to lie.
"""

import math

import matplotlib.pyplot as plt
import torch

from tenphases import viz

viz.use_style()
torch.set_num_threads(1)  # the tensors are tiny

# %%
# Five surfaces
# -------------
# Each takes points of shape ``(..., 2)`` and is zero where it is lowest. The
# valley is 300 times as steep across as along. Rosenbrock's valley is bent,
# Himmelblau's surface has four lowest points, and the saddle has a ridge between
# its two. To turn a surface, we turn the point back before we look up its height.


def valley(p):
    x, y = p.unbind(-1)
    return 0.5 * (x**2 + 300 * y**2)


def rosenbrock(p):
    x, y = p.unbind(-1)
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def himmelblau(p):
    x, y = p.unbind(-1)
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def saddle(p):
    x, y = p.unbind(-1)
    return 0.5 * x**2 + 0.25 * (y**2 - 1) ** 2


def turn(p, degrees):  # p (..., 2), degrees () or of the shape (...)
    a = torch.deg2rad(torch.as_tensor(degrees, dtype=torch.float32))
    x, y = p.unbind(-1)
    return torch.stack([a.cos() * x - a.sin() * y, a.sin() * x + a.cos() * y], -1)


def turned_valley(p, degrees=45):
    return valley(turn(p, -degrees))


# %%
# One race
# --------
# A learning rate must be good from eight starting points. From each we count the
# steps to a height of :math:`10^{-4}`; more than 1,000 count as 1,000. All
# learning rates race at once, in one tensor. That works because each of the four
# turns the gradients into an update and only then multiplies it by the rate: one
# optimizer of rate 1 adds up the updates, and a point is its start plus its own
# rate times that total. The race is over when no rate can beat the best any more.

STEPS, GOAL = 1000, 1e-4
RATES = [10 ** (k / 3) for k in range(-9, 3)]  # 0.001 to 5
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=1),
    "momentum": lambda p: torch.optim.SGD(p, lr=1, momentum=0.9),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=1),
    "Adam": lambda p: torch.optim.Adam(p, lr=1),
}


def race(surface, name, starts, rates=RATES):
    """Mean steps to the goal, (rates, ...), and the paths, from (..., 8, 2)."""
    total = torch.zeros(len(rates), *starts.shape, requires_grad=True)
    optimizer = OPTIMIZERS[name]([total])
    rates = torch.tensor(rates).reshape(-1, *[1] * starts.dim())
    steps = torch.full(total.shape[:-1], float(STEPS))
    paths = []
    for t in range(STEPS):
        paths.append(starts + rates * total.detach())
        p = paths[-1].clone().requires_grad_()
        heights = surface(p)
        steps[(heights.detach() <= GOAL) & (steps == STEPS)] = t
        if (steps.clamp(max=t).mean(-1) >= steps.mean(-1).amin(0)).all():
            break
        (total.grad,) = torch.autograd.grad(heights.sum(), p)
        optimizer.step()
    return steps.mean(-1), torch.stack(paths)


# %%
# The eight starts lie on a circle or an ellipse, around the origin or nearby.

a = torch.arange(8) * math.pi / 4 + 0.3
circle = torch.stack([a.cos(), a.sin()], -1)  # (8, 2)
SURFACES = {  # name: surface, eight starts, lowest points
    "valley": (valley, circle, [(0, 0)]),
    "valley, turned by 45°": (turned_valley, turn(circle, 45), [(0, 0)]),
    "Rosenbrock": (rosenbrock, 1.5 * circle + torch.tensor([0, 1]), [(1, 1)]),
    "Himmelblau": (himmelblau, 1.5 * circle, [(-3.78, -3.28), (-2.81, 3.13)]),
    "saddle": (saddle, circle * torch.tensor([2, 0.001]), [(0, 1), (0, -1)]),
}

# %%
# The table
# ---------
# Mean number of steps at the best rate of the grid, with that rate behind it.

steps, rate = {}, {}
print(f"{'':21}", *(f"{name:>15}" for name in OPTIMIZERS))
for place, (surface, starts, _) in SURFACES.items():
    print(f"{place:21}", end="")
    for name in OPTIMIZERS:
        means, _ = race(surface, name, starts)
        steps[place, name] = means.min().item()
        rate[place, name] = RATES[means.argmin()]
        text = "> 1000" if means.min() == STEPS else f"{means.min():.0f}"
        print(f" {text:>6} ({rate[place, name]:6.2g})", end="")
    print()

# %%
# And the paths, from one start each. A dot marks the start, crosses mark
# lowest points, and the grey lines are lines of equal height.

# sphinx_gallery_alt = "Five maps with lines of equal height and the paths of the four optimizers from one start each. In the valley, RMSprop leaves the picture and returns straight to the lowest point, Adam comes in by a wide arc, momentum swings from side to side, SGD drops to the floor and creeps along it. In the turned valley, SGD and momentum draw the same paths turned, RMSprop creeps with SGD, and Adam swings widely across. On Rosenbrock's surface all but Adam and momentum stop on the way. On Himmelblau's, SGD and momentum go to one lowest point, RMSprop and Adam to another. At the saddle, SGD goes along the ridge to its middle and then turns off at a right angle."
fig, axes = plt.subplots(2, 3, figsize=(7.2, 5.2))
for ax, place in zip(axes.flat, SURFACES, strict=False):
    surface, starts, lowest = SURFACES[place]
    for name, color in zip(OPTIMIZERS, viz.COLORS, strict=False):
        _, path = race(surface, name, starts[4:5], [rate[place, name]])
        top = 2 + (name in ("SGD", "RMSprop"))  # the calmer paths
        ax.plot(*path[:, 0, 0].T, color=color, linewidth=1, label=name, zorder=top)
    ax.plot(*starts[4], "o", color=viz.INK, zorder=4)
    ax.plot(*zip(*lowest, strict=True), "x", color=viz.INK, zorder=4)
    ends = torch.cat([starts[4:5], torch.tensor(lowest)])
    low, high = ends.amin(0) - 0.6, ends.amax(0) + 0.6
    ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    x, y = (torch.linspace(low[i], high[i], 80) for i in (0, 1))
    heights = surface(torch.cartesian_prod(x, y)).reshape(80, 80).T.log()
    ax.contour(x, y, heights, 9, colors=viz.GRID, linestyles="-", linewidths=0.8)
    ax.text(0.5, 1.03, place, transform=ax.transAxes, ha="center", fontsize=9)
    ax.tick_params(labelsize=8)
    ax.grid(False)
fig.supxlabel("x", fontsize=10)
fig.supylabel("y", fontsize=10)
axes[1, 2].legend(*ax.get_legend_handles_labels(), loc="center", fontsize=10)
axes[1, 2].set_axis_off()

# %%
# The same valley, turned
# -----------------------
# In the first panel RMSprop leaves the picture, comes back, and is there. It divides each coordinate's gradient by a running size of that
# gradient. One huge step measures the slope far out, and from then on the
# quotient is just the step to the bottom, in each coordinate by itself. In the
# second panel both coordinates see the same steep wall, and neither sees the
# gentle slope along the valley. How far must one turn the valley for that?

degrees = torch.linspace(0, 90, 13)
starts = turn(circle, degrees[:, None])  # (13, 8, 2), turned with the valley
curves = {
    name: race(lambda p: turned_valley(p, degrees[:, None]), name, starts)[0].amin(0)
    for name in OPTIMIZERS
}

# sphinx_gallery_alt = "Line chart of the steps to the goal against the angle of the valley from 0 to 90 degrees, on a logarithmic axis. SGD is flat at about 800 and momentum flat below 100. Adam begins below momentum, rises to about 150 at 45 degrees and comes down again. RMSprop begins at 4, rises to over 100 within the first 10 degrees, ends at the upper edge of the chart around 45 degrees, and comes down again."
fig, ax = plt.subplots(figsize=(6.4, 3.6))
for (name, curve), color in zip(curves.items(), viz.COLORS, strict=False):
    ax.plot(degrees, curve, "o-", color=color, markersize=3)
    ax.text(91.5, curve[-1], name, color=color, va="center")
ax.set(xlabel="angle of the valley (degrees)", ylabel="steps to the goal")
ax.set(xlim=(-2, 108), xticks=range(0, 91, 15))
ax.set_yscale("log")

# %%
# Why two of the curves are flat
# ------------------------------
# Turn the surface and the starting point, and the gradient is turned as well. A
# step of SGD or momentum is a sum of gradients times a number, so the whole path
# turns with the surface, step by step. A division that differs by coordinate does
# not commute with a rotation.

for name in OPTIMIZERS:
    rates = [rate["valley", name]]
    _, straight = race(valley, name, circle, rates)
    _, other = race(turned_valley, name, turn(circle, 45), rates)
    n = min(len(straight), len(other))
    gap = (turn(straight[:n], 45) - other[:n]).abs().max().item()
    print(f"{name:9} paths differ by at most {gap:.6f}")
    assert (gap < 1e-3) == (name in ("SGD", "momentum"))

# %%
# The axes of a network are its weights, one each, and nobody knows how its valleys
# lie to them. Himmelblau's surface, without a narrow valley, is won by the simplest
# of the four.

wins = {}
for place in SURFACES:
    wins[place] = min((steps[place, name], name) for name in OPTIMIZERS)[1]
    print(f"{place:21} {wins[place]}")
assert set(wins.values()) == set(OPTIMIZERS)
assert wins["valley"] == "RMSprop" and steps["valley", "RMSprop"] < 10
assert steps["valley", "Adam"] < steps["valley", "momentum"]
aslant = {name: steps["valley, turned by 45°", name] for name in OPTIMIZERS}
assert aslant["momentum"] < aslant["Adam"] < aslant["SGD"] < aslant["RMSprop"]

# %%
# To vary: how narrow the valley is, or the second beta of Adam, 0.9 instead of
# 0.999, say. The chapter :ref:`gradient-descent` is about steps in a valley.
