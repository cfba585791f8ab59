"""
How good is a forger?
=====================

A DCGAN learns to draw digits from a few thousand of them. The loss of a GAN says
little about its drawings, so we ask an expert who had no part in the game: a
classifier of real digits. After a minute of one core's work its features place the
drawings far nearer to real digits than draws from a Gaussian fitted to the pixels.
Ten Gaussians, which are told the digits, are about as near: which side wins depends
on the seed. Real digits stay out of reach of such a budget. And how sure an expert is
says next to nothing: ours is sure of noise, too.
"""

import math

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tenphases import budget, data, get_device, set_seed, viz
from tenphases.models.convnets import DigitNet
from tenphases.models.generative import discriminator, generator

viz.use_style()
SEED, LATENT, BATCH = 0, 64, 32
device = get_device()
digits = data.mnist()
x, y = (t.to(device) for t in digits.train.tensors)
x_test, y_test = (t.to(device) for t in digits.test.tensors)
print(digits)

# %%
# The expert
# ----------
# A small convolutional classifier, trained on the real training digits. It never
# sees a drawing while it learns, and the GAN never hears its opinion.


def train_expert(epochs=4, batch=50):
    set_seed(SEED)
    expert = DigitNet(width=8).to(device)
    optimizer = torch.optim.AdamW(expert.parameters(), weight_decay=0.01)
    steps = epochs * math.ceil(len(x) / batch)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=steps)
    for _ in range(epochs):
        for part in torch.randperm(len(x), device=device).split(batch):
            loss = F.cross_entropy(expert(x[part]), y[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    return expert.eval().requires_grad_(False)


expert = train_expert()
known = (expert(x_test).argmax(dim=1) == y_test).float().mean().item()
print(f"the expert knows {known:.1%} of the real test digits")

# %%
# Three questions
# ---------------
# *Sure*: the mean probability that the expert gives its answer. A generator that
# draws one perfect 7 again and again would score well, hence *uneven*: the share of
# drawings that would have to change their digit for all ten to be equally frequent.
# A generator could still draw ten digits, always the same ten. So the third compares
# the 32 features behind the expert's last layer, mean and covariance, with those of
# real training digits, as the Fréchet distance of two normal distributions,
#
# .. math:: |\mu - \mu'|^2 + \mathrm{tr}\,(C + C' - 2 (C C')^{1/2}) .


def features(images):
    return expert.head[:2](expert.features(images))  # (N, 32)


real = features(x)
real_mean, real_cov = real.mean(dim=0), torch.cov(real.T)


def ask(images):
    """Return sure, uneven and distance for images (N, 1, 28, 28) in [0, 1]."""
    seen = features(images)
    sure, answers = expert.head[2](seen).softmax(dim=1).max(dim=1)
    shares = torch.bincount(answers, minlength=10) / len(images)
    mean, cov = seen.mean(dim=0), torch.cov(seen.T)
    # the trace of the root is the sum of the roots of the eigenvalues
    roots = torch.linalg.eigvals((cov @ real_cov).cpu()).real.clamp(min=0).sqrt()
    apart = (mean - real_mean).square().sum() + (cov + real_cov).trace()
    distance = apart.item() - 2 * roots.sum().item()
    return sure.mean().item(), (shares - 0.1).abs().sum().item() / 2, distance


# %%
# Three simple forgers
# --------------------
# *Noise*: every pixel comes from another training image. A *Gaussian* has the mean and
# the covariance of the training images: its draw is the mean image plus a random
# mixture of all deviations from it. *Ten Gaussians*, one for each digit, have an
# easier task, since they are told the labels. All are cut off at paper and ink.


def noise(count):
    rows = torch.randint(len(x), (count, 784), device=device)
    return x.flatten(1).gather(0, rows).unflatten(1, (1, 28, 28))


def gaussian(images, count):
    flat = images.flatten(1)
    mixture = torch.randn(count, len(flat), device=device) / math.sqrt(len(flat))
    drawn = flat.mean(dim=0) + mixture @ (flat - flat.mean(dim=0))
    return drawn.clamp(0, 1).unflatten(1, (1, 28, 28))


set_seed(SEED)
simple = {
    "real": x_test,
    "noise": noise(1000),
    "one Gaussian": gaussian(x, 1000),
    "ten Gaussians": torch.cat([gaussian(x[y == k], 100) for k in range(10)]),
}
scores = {name: ask(images) for name, images in simple.items()}

# %%
# Two networks against each other
# -------------------------------
# The discriminator learns to tell real from drawn, the generator to be taken for
# real. We judge a moving average of the generator's weights, which jumps about less
# than the generator itself, and always with the same thousand codes.

STEPS = budget(cpu=900, gpu=10_000)


def play(forger, police):
    """Train both, one step each an iteration."""
    options = {"lr": 1e-3, "betas": (0.5, 0.999)}
    forge = torch.optim.Adam(forger.parameters(), **options)
    detect = torch.optim.Adam(police.parameters(), **options)
    for step in range(1, STEPS + 1):
        real = 2 * x[torch.randint(len(x), (BATCH,), device=device)] - 1
        drawn = forger(torch.randn(BATCH, LATENT, 1, 1, device=device))
        loss = F.softplus(-police(real)) + F.softplus(police(drawn.detach()))
        detect.zero_grad()
        loss.mean().backward()
        detect.step()
        loss = F.softplus(-police(drawn)).mean()
        forge.zero_grad()
        loss.backward()
        forge.step()
        yield step


# %%
# Eight times on the way we keep what the smoothed generator draws.


def train_gan(moments_to_judge):
    set_seed(SEED)
    forger, police = generator(LATENT).to(device), discriminator().to(device)
    average = get_ema_multi_avg_fn(0.98)
    smooth = AveragedModel(forger, multi_avg_fn=average, use_buffers=True)
    codes = torch.randn(1000, LATENT, 1, 1, device=device)
    drawings = {}
    for step in play(forger, police):
        smooth.update_parameters(forger)
        if step in moments_to_judge:
            with torch.no_grad():
                drawings[step] = (smooth.eval()(codes) + 1) / 2
    return drawings


judged = sorted({max(1, STEPS * k**2 // 64) for k in range(1, 9)})
drawings = train_gan(judged)
course = {step: ask(images) for step, images in drawings.items()}
scores |= {f"GAN, step {step}": course[step] for step in (judged[3], judged[-1])}
print(f"{'':18}{'sure':>7}{'uneven':>8}{'distance':>10}")
for name, (sure, uneven, distance) in scores.items():
    print(f"{name:18}{sure:7.3f}{uneven:8.3f}{distance:10.2f}")

# %%
# Mind the noise: the expert is nearly as sure of it as of real digits, and nearly
# always of the same digit. It never learnt to say "this is none", so its confidence
# alone judges nothing. The unevenness and the features give the noise away.
#
# The course of the training
# --------------------------

# sphinx_gallery_alt = "Three charts against the step, with dashed lines for real digits, one Gaussian and ten Gaussians. Sure: the GAN starts near 1, falls to the line of one Gaussian and rises again a little. Uneven: it falls from 0.9 towards 0.2. Distance, on a logarithmic scale: it falls from about 100 below one Gaussian and nears ten Gaussians, all far above real digits."
fig, axes = plt.subplots(1, 3, figsize=(7.2, 3.0))
lines = {"real": viz.GREEN, "one Gaussian": viz.GREY, "ten Gaussians": viz.ORANGE}
for i, (ax, name) in enumerate(zip(axes, ("sure", "uneven", "distance"), strict=True)):
    ax.plot(list(course), [s[i] for s in course.values()], "o-", label="GAN")
    for model, color in lines.items():
        ax.axhline(scores[model][i], color=color, linestyle="--", label=model)
    ax.set(xlabel="step", ylabel=name)
axes[2].set_yscale("log")
entries = axes[0].get_legend_handles_labels()
_ = fig.legend(*entries, loc="outside upper center", ncols=4)

# %%
# What they draw
# --------------
# The GAN's rows show the same codes. Ten Gaussians look ragged and yet have a shape,
# for they were told which digit to draw. The GAN was told nothing. It finds paper and
# ink first, then strokes, then ways to join them; a column changes what it shows while
# the game goes on. Its strokes are clean, since ragged ones give a forger away.

rows = {**simple, **{f"GAN, {step}": drawings[step] for step in judged[1::2]}}
rows["ten Gaussians"] = rows["ten Gaussians"][50::100]
# sphinx_gallery_thumbnail_number = 2
# sphinx_gallery_alt = "Eight rows of ten small pictures. Real digits; black and white noise in the middle of the square; blurred smudges of one Gaussian; ten Gaussians, ragged but readable from 0 to 9; and four rows of the GAN: plain grey, grey blots, clear strokes that form no digit, and strokes many of which read as digits."
fig = viz.image_grid(torch.cat([r[:10] for r in rows.values()]), columns=10, cell=0.55)
for ax, name in zip(fig.axes[::10], rows, strict=True):
    ax.text(-0.15, 0.5, name, transform=ax.transAxes, ha="right", va="center")

gan = scores[f"GAN, step {STEPS}"]
one, ten = scores["one Gaussian"], scores["ten Gaussians"]
assert known > 0.95 and scores["real"][2] < 0.5
sure, uneven, distance = scores["noise"]
assert sure > 0.8 and uneven > 0.5 and distance > 1.3 * one[2]
assert gan[2] < min(0.6 * one[2], 2.5 * ten[2]) and gan[1] < 0.4
assert gan[2] > budget(cpu=10, gpu=1) * scores["real"][2]

# %%
# To vary: the width of the discriminator, the learning rates, or fewer digits.
