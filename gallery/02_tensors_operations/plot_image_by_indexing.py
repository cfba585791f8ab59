"""
An image by indexing alone
==========================

How much image processing is left without an image library? We crop, flip, blur
and find edges with slices and ``unfold``; a convolution turns out to be one line,
which agrees with ``conv2d``. Then we look closely at what the simplest blur does
to a tiled roof. It does not merely weaken the stripes. At some widths it turns
every dark stripe light and every light one dark, and it can show more of them
than a narrower blur does. Blurring a second time puts them right again.
"""

import math

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from tenphases import data, viz

viz.use_style()
photo = data.photograph("china") / 255  # (3, H, W) float32
print(photo.shape, data.photograph_source("china").note)

# %%
# Crop and flip
# -------------
# A crop is a slice. It is a view: it has no numbers of its own, only another
# start, and it costs nothing. A mirror image is ``[..., ::-1]`` in NumPy and
# costs nothing either, because NumPy can walk backwards through memory. A tensor
# cannot; its strides are never negative. So ``flip`` has to copy, and so does
# the index that we build by hand.

crop = photo[:, 90:330, 70:310]
backwards = torch.arange(crop.shape[2] - 1, -1, -1)
flipped = crop[:, :, backwards]
torch.testing.assert_close(flipped, crop.flip(2))


def shares_memory(a, b):
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


try:
    crop[:, :, ::-1]
except ValueError as error:
    print(f"crop[:, :, ::-1]: {error}")
print("the crop shares memory:", shares_memory(crop, photo))
print("the flip shares memory:", shares_memory(crop.flip(2), photo))
assert shares_memory(crop, photo) and not shares_memory(crop.flip(2), photo)

# %%
# Every window at once
# --------------------
# ``unfold(1, 5, 1)`` cuts an axis into all runs of five, one step apart. Done for
# rows and for columns it gives the 5 × 5 neighbourhood of every pixel that has
# one. These are almost 25 times as many elements as before, and still not one new
# number: the windows share them, through strides (see :ref:`reshaping-views`).

windows = crop.unfold(1, 5, 1).unfold(2, 5, 1)  # (3, H - 4, W - 4, 5, 5)
print(f"{tuple(windows.shape)}, strides {windows.stride()}")
print(f"{windows.numel() / crop.numel():.1f} elements for each number")
assert shares_memory(windows, photo)

# %%
# The blur is the mean of each window. A convolution gives the window's elements
# different weights, which is one ``einsum``. We check both against the library,
# the second with a kernel of random numbers.

blurred = windows.mean(dim=(3, 4))
torch.testing.assert_close(blurred, F.avg_pool2d(crop, 5, stride=1))

kernel = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
convolved = torch.einsum("chwij,ij->chw", windows, kernel)
library = F.conv2d(crop[:, None], kernel[None, None])[:, 0]
torch.testing.assert_close(convolved, library, rtol=1e-4, atol=1e-4)

# %%
# Edges need no window at all, only two crops that are one pixel apart, and their
# difference. The length of the two differences, across and down, is large where
# the brightness changes.

grey = photo.mean(dim=0)  # (H, W)
across = grey[:-1, 1:] - grey[:-1, :-1]
down = grey[1:, :-1] - grey[:-1, :-1]
edges = torch.hypot(across, down)[90:330, 70:310]

# sphinx_gallery_alt = "Four square pictures of a Chinese pagoda with several tiled roofs: the crop, its mirror image, a blurred version in which the lattice windows have vanished, and the edges as dark lines on a light ground, densest along the roofs."
fig, axes = plt.subplots(1, 4, figsize=(7.2, 2.1))
pictures = {"crop": crop, "flip": flipped, "blur": blurred}
pictures["edges"] = (3 * edges[None]).clamp(max=1)
for ax, (name, picture) in zip(axes, pictures.items(), strict=True):
    viz.show_image(ax, picture)
    ax.text(0.5, -0.04, name, transform=ax.transAxes, ha="center", va="top")

# %%
# What the blur does to a roof
# ----------------------------
# Now we blur along the rows only, as if the camera had panned during the
# exposure. The tiles of the lower roof are stripes, nearly four pixels from one
# to the next. Below are the roof, the roof blurred over five pixels, and that
# blurred over five pixels once more, each with its own contrast stretched.

ROOF = slice(261, 277), slice(190, 262)  # rows and columns


def blur_rows(image, width):
    """Mean over ``width`` pixels of each row; the shape is kept."""
    padded = F.pad(image, (width // 2, (width - 1) // 2))
    return padded.unfold(1, width, 1).mean(dim=2)


once = blur_rows(grey, 5)
versions = {"sharp": grey, "blurred": once, "twice": blur_rows(once, 5)}
# without the slow changes: minus the mean over two stripes
details = {k: (v - blur_rows(v, 8))[ROOF] for k, v in versions.items()}
line = details["sharp"][8]
peaks = (line[1:-1] > line[:-2]) & (line[1:-1] > line[2:])

# sphinx_gallery_thumbnail_number = 2
# sphinx_gallery_alt = "Left, three strips of the roof below each other, sharp, blurred and blurred twice, all with slanted stripes. Right, the brightness along one row of each, with vertical lines where the sharp row has its peaks. On these lines the blurred row has its valleys, and the row that was blurred twice has peaks again, a tenth as high."
fig, axes = plt.subplots(3, 2, figsize=(7.2, 4.2), sharex=True)
for (left, right), (name, detail) in zip(axes, details.items(), strict=True):
    top = 2 * detail.std().item()
    left.imshow(detail, cmap="gray", aspect="auto", vmin=-top, vmax=top)
    left.set(yticks=[], ylabel=name)
    right.plot(detail[8], color=viz.BLUE)
    for x in peaks.nonzero()[:, 0] + 1:
        right.axvline(x, color=viz.ORANGE, linewidth=0.8, zorder=0)
    left.grid(False)
    right.grid(False)
axes[1, 1].set_ylabel("brightness less local mean")
for ax in axes[2]:
    ax.set(xlabel="column (pixels)", xlim=(-0.5, 39.5))

# %%
# The blurred roof is sharp enough to count its tiles, and it is a negative: it
# has valleys where the roof has peaks. Nothing in the blur can subtract, so how?
# Put a window of five on the middle of a dark stripe. It holds this one stripe
# and, at both ends, pieces of its two light neighbours, together more than it has
# of the dark. On a light stripe it is the other way round.
#
# How much of the stripes survives?
# ---------------------------------
# We measure the share of the stripes' height that is left after a blur of any
# width, negative if they are reversed. The stripes are one wave, whose period we
# find by trying many. For a wave of period :math:`p` pixels and a window of
# :math:`w` the mean can be worked out by hand:
#
# .. math:: \text{share}(w) = \frac{\sin(\pi w / p)}{w \sin(\pi / p)}
#
# It is zero where the window holds whole periods, and negative between one and
# two. Twice the same blur multiplies twice by the same share, and a square is
# never negative.


def wave(image, period, shift=0.0):
    """The wave in each row of the roof, (rows,) complex: height and phase."""
    rows = image[ROOF] - image[ROOF].mean(dim=1, keepdim=True)
    turns = 2 * math.pi * (torch.arange(rows.shape[1]) + shift) / period
    return rows.cfloat() @ torch.polar(torch.hann_window(len(turns)), turns)


candidates = torch.arange(3.0, 6.0, 0.02).tolist()
period = max(candidates, key=lambda p: wave(grey, p).abs().square().sum())
sharp = wave(grey, period)
weight = sharp.abs().square()  # rows with strong stripes count more


def share(image, shift=0.0):
    rest = wave(image, period, shift)
    return ((rest / sharp * weight).sum().real / weight.sum()).item()


# %%
# The lines are the formula, the dots are the roof.

widths = list(range(1, 13))
measured = []
for width in widths:
    blur = blur_rows(grey, width)
    even = 1 - width % 2  # a window of even width lies half a pixel off
    twice = share(blur_rows(blur, width), shift=-even)
    measured.append((share(blur, shift=-even / 2), twice))
w = torch.linspace(1, 12, 200)
theory = torch.sin(math.pi * w / period) / (w * math.sin(math.pi / period))

# sphinx_gallery_alt = "Line chart of the share of the stripes that is left against the width of the blur from 1 to 12 pixels. Blurred once, it falls from 1 through zero at 4 pixels, is about minus 0.2 at 5, returns to zero at 8 and is positive again at 9 and 10. Blurred twice, it falls to zero by 4 pixels and stays just above it. The measured dots lie on the curves."
fig, ax = plt.subplots(figsize=(6.4, 3.2))
labels = {"blurred once": theory, "blurred twice": theory.square()}
for (label, curve), dots in zip(labels.items(), zip(*measured, strict=True),
                                strict=True):
    (line,) = ax.plot(w, curve, label=label)
    ax.plot(widths, dots, "o", color=line.get_color())
ax.axhline(0, color=viz.MUTED, linewidth=0.8)
ax.set(xlabel="width of the blur (pixels)", ylabel="share of stripes left")
ax.legend()

for width, (first, second) in zip(widths, measured, strict=True):
    formula = math.sin(math.pi * width / period) / width
    formula /= math.sin(math.pi / period)
    assert abs(first - formula) < 0.05 and abs(second - formula**2) < 0.05
print(f"{period:.2f} pixels a stripe; a blur of 5 leaves {measured[4][0]:.2f}")
assert measured[4][0] < -0.15 and measured[4][1] > 0.02
assert abs(measured[3][0]) < abs(measured[4][0]) / 3

# %%
# So a picture that is blurred and still shows detail may show it wrongly. Lenses
# out of focus do the same, and opticians call it spurious resolution. To vary: a
# triangle of weights or a Gaussian in place of the mean, and other stripes, such
# as the lattice of the pagoda's windows.
