"""
A profiler trace, read
======================

A training step on handwritten digits takes longer than its arithmetic explains.
Where does the time go? We record the step with ``torch.profiler``, draw the
exported trace as a timeline, and count the calls. The network is innocent. Most
of the step is spent before it, on a hundred small shifts of a hundred images, one
Python call after another. Written as one indexing operation, the same shifts cost a
fraction of that, and the whole step becomes much faster. The profiler also
exaggerates: it makes small operations look slower than they are.
"""

import json
import os
import time
from collections import Counter

os.environ["KINETO_LOG_LEVEL"] = "99"  # the profiler's own log stays silent

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile, record_function

from tenphases import artifact, data, set_seed, viz
from tenphases.models.mlp import mlp

viz.use_style()
torch.set_num_threads(1)
set_seed(0)
images, labels = data.mnist(seed=0).train.tensors
order = torch.randperm(len(images))[:100]
images, labels = images[order, 0], labels[order]  # (100, 28, 28) and (100,)

# %%
# The step
# --------
# Each image is shifted by up to two pixels in both directions, so that the network
# does not learn places by heart. Then comes an ordinary step. ``record_function``
# puts our own names into the trace; it costs next to nothing when nobody records.


def shift_each(images, shifts):
    """Shift every image by its own (rows, columns); (B, H, W) and (B, 2)."""
    return torch.stack(
        [
            torch.roll(image, (dy.item(), dx.item()), dims=(0, 1))
            for image, (dy, dx) in zip(images, shifts, strict=True)
        ]
    )


model = mlp(784, 64, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def step(shift):
    with record_function("augment"):
        shifts = torch.randint(-2, 3, (len(images), 2))
        x = shift(images, shifts).flatten(1)
    with record_function("forward"):
        loss = F.cross_entropy(model(x), labels)
    with record_function("backward"):
        optimizer.zero_grad()
        loss.backward()
    with record_function("update"):
        optimizer.step()


# %%
# Record and read back
# --------------------
# The first step is not typical, and other programs disturb some of the others, so we
# record eight and keep the quickest. A trace is a
# JSON file that a browser can show (``chrome://tracing`` or ui.perfetto.dev). We
# read it ourselves. An event of the phase ``X`` has a name, a start ``ts`` and a
# duration ``dur``, both in microseconds. Ours have the category
# ``user_annotation``, PyTorch's operations ``cpu_op``; an operation that is called
# by another lies inside its interval.

STAGES = ("augment", "forward", "backward", "update")


def record(shift, name):
    """Profile eight steps and keep the one that was disturbed least."""
    path, records = artifact(name), []
    for _ in range(8):
        time.sleep(0.02)
        step(shift)
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            step(shift)
        profiler.export_chrome_trace(str(path))
        records.append((*read(path), profiler.key_averages()))
    return min(records, key=lambda r: sum(e["ms"] for e in r[0].values()))


def read(path):
    """The four stages and the outermost operations, in milliseconds."""
    events = [e for e in json.loads(path.read_text())["traceEvents"] if "dur" in e]
    stages = {e["name"]: e for e in events if e["name"] in STAGES}
    begin = end = stages["augment"]["ts"]
    ops = []
    for e in sorted(events, key=lambda e: e["ts"]):
        e["start"], e["ms"] = (e["ts"] - begin) / 1e3, e["dur"] / 1e3
        if e.get("cat") == "cpu_op" and e["ts"] >= end:  # inside no other
            ops.append(e)
            end = e["ts"] + e["dur"]
    return stages, ops


before = record(shift_each, "trace-before.json")
for name, e in before[0].items():
    inside = [o for o in before[1] if 0 <= o["ts"] - e["ts"] <= e["dur"]]
    print(f"{name:9} {e['ms']:7.2f} ms, {len(inside):4} operations")

# %%
# Which operations?
# -----------------
# ``key_averages`` adds up all events of one name. *Self* time leaves out what was
# called inside. Look at the number of calls as well: an operation that takes two
# microseconds and is called hundreds of times has no fast version. It has
# to be called less often.


def top(averages, count=8):
    own = [e for e in averages if e.key.startswith("aten::")]
    return sorted(own, key=lambda e: -e.self_cpu_time_total)[:count]


# sphinx_gallery_alt = "Horizontal bar chart of the self time of the eight costliest operations of the step in milliseconds, with the number of calls beside each bar. Operations on single images such as roll and its helpers are called a hundred times and more; the matrix products only a few times."
fig, ax = plt.subplots(figsize=(6.4, 3.2))
costly = top(before[2])
ax.barh(
    [e.key.removeprefix("aten::") for e in costly],
    [e.self_cpu_time_total / 1e3 for e in costly],
    color=viz.BLUE,
)
for k, e in enumerate(costly):
    ax.text(
        e.self_cpu_time_total / 1e3, k, f" {e.count} calls", va="center", fontsize=8
    )
ax.margins(x=0.15)
ax.set(xlabel="self time in one step (ms)")
ax.invert_yaxis()

calls = Counter({e.key: e.count for e in before[2]})
assert calls["aten::roll"] >= len(images) and calls["aten::addmm"] == 2

# %%
# The same shifts, at once
# ------------------------
# Image ``b`` shifted by ``dy`` has in row ``i`` what was in row ``i - dy``. So a
# table of rows and a table of columns, one line for each image, are all that
# indexing needs. The new function must agree with the old one before it may be
# called faster.


def shift_all(images, shifts):
    """Do what ``shift_each`` does, in one indexing operation."""
    B, H, W = images.shape
    rows = (torch.arange(H) - shifts[:, :1]) % H  # (B, H)
    columns = (torch.arange(W) - shifts[:, 1:]) % W  # (B, W)
    which = torch.arange(B)[:, None, None]
    return images[which, rows[:, :, None], columns[:, None, :]]


some = torch.randint(-2, 3, (len(images), 2))
torch.testing.assert_close(
    shift_all(images, some), shift_each(images, some), rtol=0, atol=0
)
after = record(shift_all, "trace-after.json")

# %%
# Two timelines
# -------------
# One scale for both. The upper lane of each shows our stages, the lower one the
# outermost operations. In the first trace the lower lane under ``augment`` is a comb of
# hundreds of teeth. In the second one it has a few.

# sphinx_gallery_thumbnail_number = 2
# sphinx_gallery_alt = "Two timelines one above the other with the same axis in milliseconds. In the upper one, before, a long bar marked augment fills most of the width, above a dense comb of tiny operations; forward, backward and update are short bars at its right end. In the lower one, after, all four bars fit into the first part of the axis."
fig, axes = plt.subplots(2, 1, figsize=(7.2, 3.6), sharex=True)
colors = dict(zip(STAGES, viz.COLORS, strict=False))
handles = [plt.Rectangle((0, 0), 1, 1, color=c) for c in colors.values()]
axes[1].legend(handles, colors, loc="center right", fontsize=8)
axes[1].set(xlabel="time (ms)")
for ax, (stages, ops, _), title in zip(
    axes, (before, after), ("before", "after"), strict=True
):
    for name, e in stages.items():
        ax.barh(1, e["ms"], left=e["start"], height=0.7, color=colors[name])
    spans = [(e["start"], e["ms"]) for e in ops]
    ax.broken_barh(spans, (-0.35, 0.7), color=viz.MUTED, linewidth=0)
    ax.set_yticks([0, 1], [f"{title}: operations", f"{title}: stages"])
    ax.grid(False)

# %%
# What it was worth
# -----------------
# A trace says where to look. How much was gained, a measurement without the
# profiler says, since the profiler adds its own cost to every operation and so makes
# a comb look worse than it is. We count processor time: what other programs
# use meanwhile is not in it.


def processor_time(work, calls=200):
    """Milliseconds of processor time that one call takes."""
    work()
    start = time.process_time()
    for _ in range(calls):
        work()
    return 1e3 * (time.process_time() - start) / calls


total = {}
for name, shift, trace in (
    ("before", shift_each, before),
    ("after", shift_all, after),
):
    total[name] = processor_time(lambda s=shift: step(s))
    seen = sum(e["ms"] for e in trace[0].values())
    print(f"{name:7} {total[name]:6.2f} ms a step; in the profile {seen:6.2f} ms")
print(f"{total['before'] / total['after']:.1f} times as fast")
assert total["before"] > 1.3 * total["after"]
assert len(before[1]) > 5 * len(after[1])

# %%
# To vary: a larger network or a larger batch. Which stage is the bottleneck then?
