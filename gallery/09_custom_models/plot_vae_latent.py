"""
Two numbers for a digit
=======================

What can two numbers say about a handwritten digit? A variational autoencoder must
press 784 pixels through two numbers, blurred by noise, and redraw the digit. It
redraws unseen digits better than the best two numbers that a linear map can find,
those of PCA, which needs several more to catch up, and on its map the digits lie
further apart. The loss says what the numbers carry: about eight yes-or-no answers,
and hardly more of them as training goes on. What does grow is the gap between
training digits and unseen ones.
"""

import math

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from tenphases import budget, data, get_device, set_seed, viz
from tenphases.models.generative import VAE, kl_to_standard_normal

viz.use_style()
SEED = 0
device = get_device()
digits = data.mnist()
x, y = (t.to(device) for t in digits.train.tensors)
x_test, y_test = (t.to(device) for t in digits.test.tensors)
print(digits)

# %%
# The best two linear numbers
# ---------------------------
# No linear map to two numbers and back has a smaller squared error on the training
# images than principal component analysis: the two eigenvectors of the covariance
# with the largest eigenvalues. It is our baseline, with any number of components.

average = x.flatten(1).mean(dim=0)
_, vectors = torch.linalg.eigh(torch.cov(x.flatten(1).T))
vectors = vectors.flip(1)  # (784, 784), the largest eigenvalue first


def pca_codes(images, components=2):
    return (images.flatten(1) - average) @ vectors[:, :components]


def pca_images(codes):
    pixels = codes @ vectors[:, : codes.shape[1]].T + average
    return pixels.unflatten(1, (1, 28, 28))


# %%
# The autoencoder and its two terms
# ---------------------------------
# The encoder gives each image not two numbers but two means and two variances, and
# the decoder sees a draw :math:`z` from them. The loss has two terms, both in nats
# (one nat is 1.44 bits): what the decoder still gets wrong, pixel by pixel, and what
# the code says, as the Kullback-Leibler divergence of the encoder's normal from a
# standard one,
#
# .. math:: -\log p(x \mid z) + \mathrm{KL}\bigl(q(z \mid x) \,\|\, N(0, 1)\bigr) .
#
# Their sum bounds from above how many nats the image itself costs. Each digit of the
# code has its price, so the encoder says only what pays.


def terms(model, images):
    logits, mean, log_variance = model(images)
    wrong = F.binary_cross_entropy_with_logits(logits, images, reduction="none")
    kl = kl_to_standard_normal(mean, log_variance)
    return wrong.flatten(1).sum(dim=1).mean(), kl.mean()


def train(epochs, batch=100):
    set_seed(SEED)
    model = VAE(latent=2).to(device)
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=4e-3, total_steps=epochs * (len(x) // batch)
    )
    rows = []  # redrawing and code on training images, then on test images
    for _ in range(epochs):
        for part in torch.randperm(len(x), device=device).split(batch):
            loss = sum(terms(model, x[part]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
        with torch.no_grad():
            seen = (*terms(model, x[: len(x_test)]), *terms(model, x_test))
        rows.append([float(value) for value in seen])
    return model, torch.tensor(rows)


model, history = train(epochs=budget(cpu=60, gpu=100))

# %%
# The loss, term by term
# ----------------------
# The dashed line is a model without a code, which gives every pixel its average
# over the training images.

plain = average.clamp(1e-3, 1 - 1e-3).expand(len(x_test), -1)
without = F.binary_cross_entropy(plain, x_test.flatten(1), reduction="sum")
without = without.item() / len(x_test)

# sphinx_gallery_alt = "Two charts of nats per image against the epoch. Left, redrawing: a dashed line near 205 for no code; the curves of training and test images fall below 170 and part, the training curve falling further. Right, the code: both curves jump up in the first epochs, fall to about 5 and creep up towards 6, close together."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 2.9))
epochs = range(1, len(history) + 1)
for ax, column, label in ((axes[0], 0, "redrawing"), (axes[1], 1, "code")):
    ax.plot(epochs, history[:, column], color=viz.ORANGE, label="training images")
    ax.plot(epochs, history[:, column + 2], color=viz.BLUE, label="test images")
    ax.set(xlabel="epoch", ylabel=f"{label} (nats an image)")
axes[0].axhline(without, color=viz.MUTED, linestyle="--", linewidth=1)
axes[1].set_ylim(0)
_ = axes[1].legend(loc="lower right")

# %%
# After a burst in the first epochs, when the decoder cannot yet read it, the code
# soon says what it can. Two numbers of limited sharpness are few; to mark smaller
# differences, the encoder would have to pay more than they save. From then on the
# decoder learns to draw the training images ever more exactly from nearly the same
# codes, and unseen digits have little of it.

redraw, code, redraw_test, code_test = history[-1].tolist()
bits = code_test / math.log(2)
print(f"test images: redrawing {redraw_test:.1f}, code {code_test:.1f} nats", end="")
print(f" ({bits:.1f} bits); without a code {without:.1f} nats")
print(f"training images: redrawing {redraw:.1f}, code {code:.1f} nats")

# %%
# Two maps
# --------
# Every test image stands as its digit at its two numbers.

with torch.no_grad():
    codes, codes_test = model.encode(x)[0], model.encode(x_test)[0]  # the means
maps = {
    "PCA": (pca_codes(x), pca_codes(x_test)),
    "VAE": (codes, codes_test),
}
# sphinx_gallery_thumbnail_number = 2
# sphinx_gallery_alt = "Two maps of a thousand coloured digits. Left, PCA: ones lie in a tight group on one side and zeros on the other; all others overlap in between. Right, the VAE: zeros and ones lie apart from all others; most other digits form groups around the centre that overlap at their edges, nines among fours and sevens."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.7))
for ax, (name, (_, places)) in zip(axes, maps.items(), strict=True):
    for digit in range(10):
        chosen = places[y_test == digit].cpu()
        color = viz.COLORS[(digit + digit // 5) % 5]
        ax.scatter(*chosen.T, s=16, marker=f"${digit}$", color=color, linewidths=0.2)
    ax.set(xlabel=f"{name}: first number", ylabel="second number")
    ax.grid(False)

# %%
# How good are the maps? For each test image we look up the nearest training image on
# the map and ask whether it shows the same digit. And we redraw the test images from
# their two numbers. How many components would PCA need to redraw them as well?

share, error = {}, {}
for name, (places, places_test) in maps.items():
    nearest = torch.cdist(places_test, places).argmin(dim=1)
    share[name] = (y[nearest] == y_test).float().mean().item()
with torch.no_grad():
    redrawn = {"PCA": pca_images(maps["PCA"][1]), "VAE": model.decode(codes_test)}
redrawn["VAE"] = redrawn["VAE"].sigmoid()
for name, images in redrawn.items():
    error[name] = F.mse_loss(images, x_test).item()
    print(f"{name}: squared error {error[name]:.4f}, neighbour shows the same", end="")
    print(f" digit {share[name]:.1%}")
needed = next(
    k
    for k in range(1, 785)
    if F.mse_loss(pca_images(pca_codes(x_test, k)), x_test) <= error["VAE"]
)
print(f"PCA needs {needed} components to redraw as well as the VAE from 2")

# %%
# A walk
# ------
# Between two digits on the map there is a straight way. We draw what lies on it, and
# below, for comparison, a cross-fade: the same way in the space of pixels. Each end
# is the test image of its digit that is redrawn best. Where two digits share a place
# on the map, as 4 and 9 do, the walk may end at the wrong one.

errors = (redrawn["VAE"] - x_test).square().mean(dim=(1, 2, 3))
steps = torch.linspace(0, 1, 9, device=device)[:, None]
rows = []
for start, end in ((3, 8), (7, 4), (6, 0)):
    a, b = (errors.where(y_test == digit, 1.0).argmin()[None] for digit in (start, end))
    with torch.no_grad():
        walk = model.decode(torch.lerp(codes_test[a], codes_test[b], steps)).sigmoid()
    fade = torch.lerp(x_test[a], x_test[b], steps[..., None, None])
    rows += [walk, fade]
# sphinx_gallery_alt = "Three pairs of rows with nine images each. In the upper row of each pair a drawn digit changes its shape step by step into another, 3 to 8, 7 to 4 and 6 to 0, a little blurred at times. In the lower row two real digits fade into each other, and in the middle both are seen at once."
fig = viz.image_grid(torch.cat(rows), columns=9, cell=0.62)
for ax, name in zip(fig.axes[::9], ["walk", "fade"] * 3, strict=True):
    ax.text(-0.15, 0.5, name, transform=ax.transAxes, ha="right", va="center")

# %%
# Are the middles digits? For five hundred pairs of test images we measure how far
# the image in the middle is from the nearest training image, and set beside it the
# distance of a test image itself.


def distance(images):
    return torch.cdist(images.flatten(1), x.flatten(1)).amin(dim=1).mean().item()


a, b = torch.arange(1000, device=device).split(500)
with torch.no_grad():
    middle = model.decode((codes_test[a] + codes_test[b]) / 2).sigmoid()
fade = (x_test[a] + x_test[b]) / 2
far = {"walk": distance(middle), "fade": distance(fade), "test image": distance(x_test)}
for name, value in far.items():
    print(f"{name:11}{value:5.2f} to the nearest training image")

assert error["VAE"] < 0.92 * error["PCA"] and needed >= 4
assert share["VAE"] > share["PCA"] + 0.05
assert 6.5 < bits < 10
assert abs(history[-1, 3] - history[len(history) // 3, 3]) < 1.5
assert redraw_test + code_test < without - 25
assert redraw_test - redraw > 3
assert far["walk"] < 0.95 * far["fade"]

# %%
# To vary: ``latent=8``, and look at which of the two terms pays for it.
