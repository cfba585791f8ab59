"""
Sixteen colours for a photograph
================================

Which sixteen colours show a photograph best? The algorithm k-means answers with a
short loop of tensor operations, but it needs sixteen colours to start from. These
can be random pixels, or the choice of k-means++, which spreads them out. On all of
nine photographs the careful start is much better. On some it ends hardly better,
because the loop makes up for a poor start. What it cannot make up for is rarity:
the fewer pixels the rare colours have, the more the start tends to decide.
"""

import matplotlib.pyplot as plt
import torch

from tenphases import data, viz

viz.use_style()
torch.set_num_threads(1)
K, SEEDS = 16, 10


def pixels(name, count=3000):
    """Some pixels of a photograph, chosen at random, (count, 3) in [0, 1]."""
    colours = data.photograph(name).flatten(1).T  # (H * W, 3)
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(colours), generator=generator)[:count]
    return colours[chosen] / 255


# %%
# The loop
# --------
# Each pixel goes to the nearest centre, and each centre moves to the mean of its
# pixels. ``index_add_`` adds all pixels of a cluster in one call, without a loop
# over clusters. The loss is the mean squared distance of a pixel from its centre.
# (``torch.cdist`` would use a matrix product here, and
# :ref:`sphx_glr_examples_02_tensors_operations_plot_pairwise_distances.py` says
# why we do not let it.)


def assign(x, centres):
    mode = "donot_use_mm_for_euclid_dist"
    distances, cluster = torch.cdist(x, centres, compute_mode=mode).min(dim=1)
    return cluster, distances.square().mean().item()


def means(x, cluster, old):
    totals = torch.zeros_like(old).index_add_(0, cluster, x)  # (K, 3)
    counts = cluster.bincount(minlength=len(old))[:, None]  # (K, 1)
    return torch.where(counts > 0, totals / counts.clamp(min=1), old)


def kmeans(x, centres, steps=300):
    losses = []
    for _ in range(steps):
        cluster, loss = assign(x, centres)
        losses.append(loss)
        old, centres = centres, means(x, cluster, centres)
        if torch.equal(centres, old):
            break
    return centres, losses


# %%
# The ``where`` is for clusters without a pixel, which keep their centre. Their
# mean would be 0/0. A centre of NaN is at a distance of NaN from everything, and
# as ``min`` lets NaN win, *every* pixel would move to the cluster that had none.
# It takes no bad luck: start from two pixels of the same colour, and one of them
# gets nothing.

flower = pixels("flower")
twins = flower[[0, 0, 1]]
cluster, _ = assign(flower, twins)
print("pixels of each cluster:", cluster.bincount(minlength=3).tolist())
assert cluster.bincount(minlength=3).min() == 0
assert means(flower, cluster, twins).isfinite().all()
broken = torch.cat([twins[:1], torch.full((1, 3), torch.nan)])
assert (assign(flower, broken)[0] == 1).all()

# %%
# Two ways to start
# -----------------
# Either sixteen pixels at random, or one at random and each further one with a
# probability proportional to its squared distance from the nearest so far
# (Arthur and Vassilvitskii, 2007).


def start_random(x, generator):
    return x[torch.randperm(len(x), generator=generator)[:K]]


def start_spread(x, generator):
    centres = x[torch.randint(len(x), (1,), generator=generator)]
    nearest = (x - centres).square().sum(dim=1)  # (N,) squared distances
    while len(centres) < K:
        new = x[torch.multinomial(nearest, 1, generator=generator)]
        nearest = nearest.minimum((x - new).square().sum(dim=1))
        centres = torch.cat([centres, new])
    return centres


# %%
# From the same start, scikit-learn should end where we do, and the loss may never
# rise: both steps can only lower it.

from sklearn.cluster import KMeans

start = start_spread(flower, torch.Generator().manual_seed(0))
_, losses = kmeans(flower, start)
other = KMeans(K, init=start.numpy(), n_init=1, tol=0, algorithm="lloyd")
inertia = other.fit(flower.numpy()).inertia_ / len(flower)
print(f"{len(losses)} steps: {losses[-1]:.6f}, scikit-learn {inertia:.6f}")
assert abs(losses[-1] / inertia - 1) < 5e-3
falls = torch.tensor(losses).diff()
assert (falls <= 1e-6).all()

# %%
# Nine photographs, ten seeds
# ---------------------------
# For each run we divide the loss by the best that any run reached on the same
# photograph. How rare are the rare colours? We take the best palette and count
# the pixels of its eight smallest clusters.

STARTS = {"random pixels": start_random, "k-means++": start_spread}
first, last, runs, rare = {}, {}, {}, {}
for name in data.PHOTOGRAPHS:
    x = pixels(name)
    for label, start in STARTS.items():
        seeds = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
        runs[name, label] = [kmeans(x, start(x, seed)) for seed in seeds]
    both = [run for label in STARTS for run in runs[name, label]]
    best, (*_, lowest) = min(both, key=lambda run: run[1][-1])
    sizes = assign(x, best)[0].bincount(minlength=K).sort().values
    rare[name] = (sizes[: K // 2].sum() / len(x)).item()
    for label in STARTS:
        ends = [(losses[0], losses[-1]) for _, losses in runs[name, label]]
        first[name, label], last[name, label] = torch.tensor(ends).T / lowest

photographs = sorted(rare, key=rare.get)
print(f"{'mean loss over best':20} {'at the start':>19} {'at the end':>19}")
print(f"{'':20} {'random   k-means++':>19} {'random   k-means++':>19}")
for name in photographs:
    a, b, c, d = (t[name, label].mean() for t in (first, last) for label in STARTS)
    print(f"{name:20} {a:7.2f} {b:11.2f} {c:7.2f} {d:11.2f}")

# %%
# The careful start begins with a much smaller loss on every photograph. How much
# of that is left at the end? Each dot is a run.

COLORS = {"random pixels": viz.ORANGE, "k-means++": viz.BLUE}
# sphinx_gallery_alt = "Dot chart of the final loss, divided by the best found, for nine photographs, ten runs from random pixels and ten from k-means++ each, the photographs with the rarest colours at the top. The dots of k-means++ lie between 1.0 and 1.1 in nearly all rows. Those of random pixels lie among them in the lower rows, coffee, cat and tissue, and well to their right in the upper rows, galaxies, rocket and flower."
fig, ax = plt.subplots(figsize=(7.0, 4.0))
for label, shift in (("random pixels", -0.15), ("k-means++", 0.15)):
    for row, name in enumerate(photographs):
        ax.plot(last[name, label], [row + shift] * SEEDS, "o", alpha=0.6,
                color=COLORS[label], label="_" * row + label)
ax.set_yticks(range(9), [f"{n} ({rare[n]:.0%})" for n in photographs])
ax.set(xlabel="final loss over the best found", ylim=(8.5, -0.5),
       ylabel="photograph (pixels of its rare colours)")
ax.grid(axis="y", visible=False)
ax.legend()

random, spread = STARTS
advantage = {}
for name in photographs:
    advantage[name] = last[name, random].mean() / last[name, spread].mean()
    assert first[name, random].mean() > 1.2 * first[name, spread].mean()
    assert last[name, spread].mean() < 1.25
pairs = torch.tensor([[rare[name], advantage[name]] for name in photographs])
correlation = torch.corrcoef(pairs.T)[0, 1]
print(f"correlation of the rare share and the advantage: {correlation:.2f}")
assert all(0.95 < advantage[name] < 1.06 for name in ("cat", "tissue"))
assert advantage["galaxies"] > 1.05
assert correlation < -0.4

# %%
# The rarer the rare colours, the more a random start tends to cost; nine
# photographs are too few to say more. On the cat and the tissue it costs next to
# nothing: what k-means++ gains in the beginning, a few steps of the loop gain, too.
# On the galaxies it costs a lot. Step by step:

# sphinx_gallery_alt = "Two panels of loss over the best against the step on logarithmic axes, ten orange curves from random pixels and ten blue ones from k-means++. Cat: the orange curves start higher, meet the blue ones within ten steps and end with them. Galaxies: the orange curves start far higher, fall more slowly and level off above the blue ones."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True)
for ax, name in zip(axes, ("cat", "galaxies"), strict=True):
    for label, color in COLORS.items():
        for i, (_, losses) in enumerate(runs[name, label]):
            lowest = losses[-1] / last[name, label][i]
            ax.plot(range(1, len(losses) + 1), torch.tensor(losses) / lowest,
                    color=color, linewidth=1, label="_" * i + label)
    ax.set(xscale="log", yscale="log", xlabel=f"step ({name})")
    ax.set_yticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    ax.yaxis.minorticks_off()
axes[0].set_ylabel("loss over the best found")
axes[1].legend()
after_10 = [losses[min(10, len(losses) - 1)] / losses[-1]
            for _, losses in runs["cat", random]]
print(f"cat, random pixels: after ten steps {max(after_10):.2f} times the end")
assert max(after_10) < 1.5

# %%
# What is lost?
# -------------
# A centre only ever moves to the mean of the pixels around it, so it cannot leave
# a crowd. Random pixels come from where most pixels are, in the night sky or the
# leaves behind the flower, and too many centres stay there. Below are the runs in
# the middle of their ten, on the flower: from random pixels, more of the sixteen
# colours are shades of dark green, and fewer are left for the petals.

crop = data.photograph("flower")[:, 75:365, 145:485] / 255  # (3, 290, 340)
pictures, oranges = {"photograph": (crop, None)}, {}
for label in STARTS:
    middle = last["flower", label].argsort()[SEEDS // 2]
    palette = runs["flower", label][middle][0]
    palette = palette[palette.sum(dim=1).argsort()]
    cluster, _ = assign(crop.flatten(1).T, palette)
    pictures[label] = palette.T[:, cluster].reshape(crop.shape), palette
    ends = [(c[:, 0] > c[:, 1:].amax(dim=1) + 0.1).sum().item()
            for c, _ in runs["flower", label]]
    oranges[label] = sum(ends) / SEEDS
    print(f"{label:14} on average {oranges[label]:.1f} of {K} colours reddish")
assert oranges["k-means++"] > oranges["random pixels"] + 0.5

# sphinx_gallery_thumbnail_number = 3
# sphinx_gallery_alt = "An orange dahlia three times: the photograph and its versions in sixteen colours, with the palettes as strips below. The version from random pixels has few, coarse shades on the petals, and its palette begins with many dark greens; the one from k-means++ has more shades of orange."
fig, axes = plt.subplots(2, 3, figsize=(7.2, 2.8), height_ratios=[8, 1])
for ax, (label, (picture, palette)) in zip(
    axes.T, pictures.items(), strict=True
):
    viz.show_image(ax[0], picture)
    ax[1].set_axis_off()
    if palette is not None:
        ax[1].imshow(palette[None], aspect="auto")
    ax[1].text(0.5, -0.2, label, transform=ax[1].transAxes, ha="center",
               va="top")

# %%
# So k-means++ is an insurance: it costs a few lines and matters where something is
# rare, which one seldom knows in advance. To vary: the number of colours, or the
# best of ten random starts against one careful start.
