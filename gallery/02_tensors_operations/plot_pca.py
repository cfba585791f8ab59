"""
How many numbers make a digit?
==============================

Principal components are the directions in which handwritten digits differ most,
found with one singular value decomposition. We check them against the covariance,
rebuild digits from a few, and let two simple classifiers work on them. Digits
rebuilt from thirty of 784 are visibly blurred, and yet the nearest neighbour is a
*better* guide on these thirty than on all pixels. Then we scale all components to
the same spread. The same step lifts one classifier above its pixels and makes
the other call every second digit a one.
"""

import matplotlib.pyplot as plt
import torch

from tenphases import data, viz

viz.use_style()
torch.set_num_threads(1)
mnist = data.mnist()
parts = zip(mnist.train.tensors, mnist.test.tensors, strict=True)
images, labels = (torch.cat(part) for part in parts)
images = images.flatten(1)  # (N, 784)


def split(seed):
    """4,000 digits to learn from and 1,000 to test on."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    train, test = order[:4000], order[4000:5000]
    return images[train], labels[train], images[test], labels[test]


# %%
# Directions
# ----------
# We take the mean digit away and factor what is left, :math:`X = U S V^\top`. The
# rows of :math:`V^\top` are the principal components, directions at right angles,
# in the order of how much the digits vary along them. The textbook's way is
# another: the eigenvectors of the covariance :math:`X^\top X / (N - 1)`. They
# must agree, up to the sign, which is nobody's to choose.

x, y, x_test, y_test = split(seed=0)
mean = x.mean(dim=0)
_, spread, components = torch.linalg.svd(x - mean, full_matrices=False)
variances = spread.square() / (len(x) - 1)  # (784,), largest first

eigenvalues, eigenvectors = torch.linalg.eigh((x - mean).T.cov())
eigenvalues, eigenvectors = eigenvalues.flip(0), eigenvectors.flip(1)
torch.testing.assert_close(variances, eigenvalues, rtol=1e-3, atol=1e-4)
overlap = (components[:20] * eigenvectors.T[:20]).sum(dim=1)
torch.testing.assert_close(overlap.abs(), torch.ones(20), rtol=0, atol=1e-2)
print("signs that agree:", (overlap > 0).sum().item(), "of 20")
print(f"negative variances: SVD {(variances < 0).sum()},",
      f"covariance {(eigenvalues < 0).sum()}")
assert (variances >= 0).all() and (eigenvalues < 0).any()

# %%
# (The covariance squares every number first. Where pixels never carry ink the
# variance is zero, and rounding makes some of its eigenvalues negative; the SVD
# cannot do that.)
#
# Digits from few numbers
# -----------------------
# A digit's coordinates are its products with the components. The first ``k`` of
# them rebuild it, and on average over the training digits no other ``k``
# directions do better. The squared error that remains is the sum of the variances
# left out.


def rebuild(digits, k):
    return mean + (digits - mean) @ components[:k].T @ components[:k]


def error(digits, k):
    return (rebuild(digits, k) - digits).square().sum(dim=1).mean().item()


COUNTS = (1, 3, 10, 20, 30, 50, 100, 200, 400)
left_out = [variances[k:].sum().item() for k in COUNTS]
seen = [error(x, k) * len(x) / (len(x) - 1) for k in COUNTS]
unseen = [error(x_test, k) for k in COUNTS]
torch.testing.assert_close(seen, left_out, rtol=1e-3, atol=1e-3)

shown = [(y_test == digit).nonzero()[0, 0].item() for digit in range(8)]
rows = {"components": components[:8]}
rows |= {f"{k} numbers": rebuild(x_test[shown], k) for k in (5, 30, 100)}
rows |= {"784 pixels": x_test[shown]}
# sphinx_gallery_alt = "Five rows of eight small pictures. The first eight components: smooth blobs of red and blue, the first like a zero. Then the test digits 0 to 7 rebuilt from 5 numbers, grey clouds of which some look like another digit; from 30, all readable but blurred; from 100, nearly sharp; and as they are."
fig, axes = plt.subplots(5, 8, figsize=(7.2, 4.6))
for line, (name, pictures) in zip(axes, rows.items(), strict=True):
    for ax, picture in zip(line, pictures.reshape(8, 28, 28), strict=True):
        ax.set_axis_off()
        if name == "components":
            top = picture.abs().max().item()
            ax.imshow(picture, cmap="RdBu", vmin=-top, vmax=top)
        else:
            viz.show_image(ax, picture[None].clamp(0, 1))
    line[0].text(-0.15, 0.5, name, transform=line[0].transAxes, ha="right",
                 va="center")

# %%
# From five numbers some of the digits turn into others. From thirty each can be
# read, and about a quarter of the variance is still missing. On digits that were
# not used to find the components, the error is hardly larger.

# sphinx_gallery_alt = "Line chart of the share of the squared error that remains against the number of components, from 1 to 400, on a logarithmic axis. It falls from 0.9 with one component to a quarter with 30 and less than a tenth with 100. The dots of unseen digits lie on the line."
fig, ax = plt.subplots(figsize=(6.4, 2.8))
total = variances.sum()
ax.plot(range(1, 401), 1 - variances.cumsum(0)[:400] / total,
        label="variance left out")
ax.plot(COUNTS, [e / total for e in unseen], "o", label="error, unseen digits")
ax.set(xscale="log", xlabel="components", ylabel="share of the squared error")
ax.legend()
at_30 = COUNTS.index(30)
print(f"left out by 30 components: {left_out[at_30] / total:.3f}")
assert 0.2 < left_out[at_30] / total < 0.33
assert unseen[at_30] < 1.1 * seen[at_30]

# %%
# Do fewer numbers classify worse?
# --------------------------------
# Two classifiers without any training: a digit is what its nearest neighbour is,
# or it is the class whose mean is nearest. We give them the first ``k``
# components, once as they are and once divided by their standard deviations, so
# that all have the same spread. Mean, components and spread come from the training
# digits alone. Five splits show how far chance goes.


def nearest_neighbour(train, targets, test):
    return targets[torch.cdist(test, train).argmin(dim=1)]


def nearest_mean(train, targets, test):
    totals = torch.zeros(10, train.shape[1]).index_add_(0, targets, train)
    means = totals / targets.bincount(minlength=10)[:, None]
    return torch.cdist(test, means).argmin(dim=1)


CLASSIFIERS = {"nearest neighbour": nearest_neighbour}
CLASSIFIERS |= {"nearest mean": nearest_mean}
SPREADS = {"as they are": viz.BLUE, "equal spread": viz.ORANGE}
SPLITS = 5
pixels, scores = {}, {}
for i in range(SPLITS):
    x, y, x_test, y_test = split(seed=i)
    mean = x.mean(dim=0)
    components = torch.linalg.svd(x - mean, full_matrices=False).Vh
    a, b = (x - mean) @ components.T, (x_test - mean) @ components.T
    std = a.std(dim=0)
    for name, classify in CLASSIFIERS.items():
        hits = classify(x, y, x_test) == y_test
        pixels[name, i] = hits.float().mean().item()
        for k in COUNTS:
            for spread, scale in zip(SPREADS, (1, std[:k]), strict=True):
                found = classify(a[:, :k] / scale, y, b[:, :k] / scale)
                hits = found == y_test
                scores[name, spread, i, k] = hits.float().mean().item()

# %%
# Five lines of each colour, one for each split:

# sphinx_gallery_thumbnail_number = 3
# sphinx_gallery_alt = "Two panels of test accuracy against the number of components, five thin lines for each way. Left, the nearest neighbour: as they are, the accuracy rises to a flat top just above the dashed line of the pixels from 20 components on; with equal spread it peaks near 30 and then falls to about a half. Right, the nearest mean: as they are, the accuracy rises up to the line of the pixels; with equal spread it rises well above it and sinks only a little at the end."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.4), sharey=True)
for ax, name in zip(axes, CLASSIFIERS, strict=True):
    for spread, color in SPREADS.items():
        for i in range(SPLITS):
            curve = [scores[name, spread, i, k] for k in COUNTS]
            ax.plot(COUNTS, curve, color=color, linewidth=1,
                    label="_" * i + spread)
    level = sum(pixels[name, i] for i in range(SPLITS)) / SPLITS
    ax.axhline(level, color=viz.INK, linestyle="--", label="pixels", lw=1)
    ax.set(xscale="log", xlabel=f"components ({name})")
axes[0].set_ylabel("test accuracy")
axes[1].legend(loc="lower right")

cases = [(30, "as they are"), (100, "equal spread"), (400, "equal spread")]
for name in CLASSIFIERS:
    print(f"{name}, five splits")
    row = [pixels[name, i] for i in range(SPLITS)]
    print("  all pixels        ", *(f"{value:.3f}" for value in row))
    for k, spread in cases:
        row = [scores[name, spread, i, k] for i in range(SPLITS)]
        print(f"  {f'{k}, {spread}':18}", *(f"{value:.3f}" for value in row))

# %%
# For the nearest neighbour, thirty components beat the pixels by a little, split
# after split: what was left out was mostly noise to it. Twenty or fifty do so on
# average.
# The nearest mean gains nothing from leaving out, but much from equal spread, which
# ruins the nearest neighbour. Why?
#
# The quiet neighbours
# --------------------
# Scaled up, hundreds of faint components say little about the class and much
# about each single digit. In :math:`\lVert a - b \rVert^2 = \lVert a \rVert^2 +
# \lVert b \rVert^2 - 2 a \cdot b` the noise of the test digit :math:`b` counts
# alike for all :math:`a`. The mean of four hundred digits has next to none of its
# own. A single digit has, which makes its :math:`\lVert a \rVert^2` large, and
# then the nearest is whoever has least. Those are the ones, a single stroke that
# most people draw alike.

name, spread, k = "nearest neighbour", "equal spread", 400
a, b = a[:, :k] / std[:k], b[:, :k] / std[:k]  # of the last split
chosen = torch.cdist(b, a).argmin(dim=1)
rank = a.norm(dim=1).argsort().argsort()[chosen] / len(a)  # 0: the shortest
ones = (y[chosen] == 1).float().mean()
true_ones = (y_test == 1).float().mean()
print(f"median rank of the neighbour's length: {rank.median():.2f}")
print(f"called a one: {ones:.2f}, are a one: {true_ones:.2f}")
lengths = [a[y == digit].norm(dim=1).mean().item() for digit in range(10)]
assert lengths.index(min(lengths)) == 1
assert rank.median() < 0.2 and ones > max(0.35, 2 * true_ones)

for k in (20, 30, 50):
    gains = [scores[name, "as they are", i, k] - pixels[name, i]
             for i in range(SPLITS)]
    assert sum(gains) / SPLITS > 0.002
    assert k != 30 or sum(gain > 0 for gain in gains) >= SPLITS - 1
for i in range(SPLITS):
    assert scores[name, spread, i, 400] < 0.7
    level = pixels["nearest mean", i]
    assert scores["nearest mean", spread, i, 100] > level + 0.02
    assert abs(scores["nearest mean", "as they are", i, 400] - level) < 0.02

# %%
# So do not ask how many components a digit has, but what for. To vary: compare
# directions in place of distances by dividing ``a`` and ``b`` by their lengths,
# which takes the quiet digits their advantage, or three neighbours in place of one.
