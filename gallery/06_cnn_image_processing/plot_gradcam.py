"""
What did the network look at?
=============================

Grad-CAM paints a heat map over a picture: this, it says, is why I answered "palace".
Should we believe it? We test it on six photographs. With two of them side by side,
each class is found on its own half. Hiding the brightest fifth costs far more
probability than hiding the darkest, in five of six. But where the subject stands in
the middle, hiding the middle does as well, without any map; and of the cat no part
is needed, since fur is everywhere. The map also explains a wrong answer, a football
helmet.
"""

import itertools

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F
from torchvision.transforms import v2

from tenphases import data, get_device, set_seed, viz
from tenphases.models.pretrained import (
    IMAGENET_CLASSES,
    efficientnet_lite0,
    imagenet_transform,
)

viz.use_style()
device = get_device()
set_seed(0)  # for the cells that are hidden at random

# %%
# Six answers
# -----------
# EfficientNet-Lite0 knows the thousand classes of ImageNet. It has never seen these
# photographs. An astronaut is not among the thousand, so it must answer something
# else.

NAMES = ("cat", "coffee", "china", "flower", "rocket", "astronaut")
model = efficientnet_lite0().to(device)
prepare = imagenet_transform()
x = torch.stack([prepare(data.photograph(name)) for name in NAMES]).to(device)
with torch.no_grad():
    before, answers = model(x).softmax(dim=1).max(dim=1)
labels = [IMAGENET_CLASSES[i] for i in answers.tolist()]
for name, label, p in zip(NAMES, labels, before.tolist(), strict=True):
    print(f"{name:12}{label:18}{p:.2f}")

# %%
# The map
# -------
# The last convolution leaves 1,280 channels of 7 by 7 cells. Grad-CAM (Selvaraju and
# others, 2017) asks by how much each channel :math:`A_k` would move the class's
# logit, takes the mean of that gradient over the cells as the channel's weight
# :math:`\alpha_k`, and draws :math:`\sum_k \alpha_k A_k` where it is positive.


def grad_cam(images, classes):
    """Return the maps before the ReLU, (N, H / 32, W / 32), and the logits."""
    maps = model.forward_features(images).detach().requires_grad_()  # (N, 1280, 7, 7)
    logits = model.forward_head(maps)
    chosen = logits.gather(1, classes[:, None]).sum()
    (gradient,) = torch.autograd.grad(chosen, maps)
    alpha = gradient.mean(dim=(2, 3), keepdim=True)
    return (alpha * maps).sum(dim=1).detach(), logits.detach()


cams, logits = grad_cam(x, answers)

# %%
# For this network there is nothing arbitrary in it. Behind the last convolution come
# only a mean over the cells and a linear layer, so the 49 cells and the class's bias
# add up to the logit exactly:

bias = model.classifier.bias[answers].detach()
sums = cams.sum(dim=(1, 2)) + bias
torch.testing.assert_close(sums, logits.amax(dim=1), rtol=1e-3, atol=1e-3)
print(f"coffee: 49 cells and the bias make {sums[1]:.3f}; logit {logits[1].max():.3f}")

# sphinx_gallery_alt = "Two rows of six pictures. Above: a cat's face, a cup of coffee seen from above, a palace, a flower, a rocket at its launch, an astronaut. Below, the same in grey with an orange glow: on the cat's nose and one eye, in the cup, on the palace's roofs, on the flower's middle, on both sides of the rocket, and on the helmet in the lower right corner of the astronaut's picture, not on her."
fig, axes = plt.subplots(2, 6, figsize=(7.2, 2.7))


def show(ax, image, cam=None):
    picture = (image.cpu() * 0.5 + 0.5).clamp(0, 1)
    if cam is None:
        return viz.show_image(ax, picture)
    viz.show_image(ax, picture.mean(dim=0, keepdim=True).expand(3, -1, -1))
    glow = F.interpolate(cam.relu()[None, None], image.shape[1:], mode="bicubic")[0, 0]
    glow = (glow / glow.max()).clamp(0, 1).cpu().numpy()
    ax.imshow(glow, cmap="inferno", alpha=0.75 * glow**0.5)


for column, label in enumerate(labels):
    show(axes[0, column], x[column])
    show(axes[1, column], x[column], cams[column])
    _ = axes[0, column].set_title(label, fontsize=8, pad=3)

# %%
# It explains the football helmet: there is a helmet, of another kind, before her. But
# a map that looks right may still be only a good guess at where things stand in
# photographs. So we test it.
#
# Two pictures in one
# -------------------
# We paste the middle of two photographs side by side and ask for the class of either.
# The network's answer no longer matters, only on which half the map's positive part
# lies. Somebody who always points at the middle scores a half.


def beside(left, right):
    halves = [v2.CenterCrop(300)(data.photograph(name)) for name in (left, right)]
    halves = [v2.Resize(224)(half) for half in halves]
    return prepare.transforms[-1](torch.cat(halves, dim=2).float() / 255).to(device)


def map_of(pair, name):
    cam, _ = grad_cam(pair[None], answers[NAMES.index(name)][None])
    return cam[0]


shares = {}
for left, right in itertools.permutations(NAMES[:5], 2):
    pair = beside(left, right)
    for name, half in ((left, slice(0, 7)), (right, slice(7, 14))):
        cam = map_of(pair, name).relu()  # (7, 14)
        shares[left, right, name] = (cam[:, half].sum() / cam.sum()).item()
found = torch.tensor(list(shares.values()))
print(f"{len(found)} maps: mean share on the right picture {found.mean():.2f}")
print(f"on the wrong one for the most part: {(found < 0.5).sum()} of {len(found)}")

# sphinx_gallery_alt = "A cat and a cup of coffee side by side, three times. First in colour. Then in grey with a glow on the cat's half only, for tiger cat. Then with a glow on the cup only, for espresso."
fig, axes = plt.subplots(1, 3, figsize=(7.2, 1.4))
pair = beside("cat", "coffee")
show(axes[0], pair)
for ax, name in zip(axes[1:], ("cat", "coffee"), strict=True):
    show(ax, pair, map_of(pair, name))
    _ = ax.set_title(labels[NAMES.index(name)], fontsize=8, pad=3)

# %%
# Hide what it looked at
# ----------------------
# Now each photograph by itself. We blur ten of the 49 cells beyond recognition, those
# where the map is highest, and see what is left of the probability. For comparison
# we do the same with the ten lowest, with ten at random (the mean of twelve draws),
# and with the ten nearest to the middle, which need no map.


@torch.no_grad()
def probability(scores, cells=10):
    """Of the answer, once the cells with the highest scores are blurred, (N,)."""
    hidden = torch.zeros(len(x), 49, device=device)
    hidden.scatter_(1, scores.flatten(1).topk(cells).indices, 1.0)
    hidden = F.interpolate(hidden.view(-1, 1, 7, 7), x.shape[2:])  # nearest
    blurred = F.interpolate(F.avg_pool2d(x, 56), x.shape[2:], mode="bilinear")
    p = model(torch.lerp(x, blurred, hidden)).softmax(dim=1)
    return p.gather(1, answers[:, None])[:, 0].cpu()


along = torch.arange(7.0, device=device) - 3
middle = -(along[:, None] ** 2 + along**2).expand(len(x), 7, 7)
draws = [probability(torch.rand(len(x), 49, device=device)) for _ in range(12)]
left_over = {
    "nothing": before.cpu(),
    "lowest": probability(-cams),
    "random": torch.stack(draws).mean(dim=0),
    "middle": probability(middle),
    "highest": probability(cams),
}
print(" " * 12 + "".join(f"{kind:>9}" for kind in left_over))
for row, name in enumerate(NAMES):
    print(f"{name:12}" + "".join(f"{p[row]:9.3f}" for p in left_over.values()))

# %%
# What is left of the answer's probability, on a logarithmic axis:

# sphinx_gallery_alt = "Dot plot with a row for each photograph and a logarithmic axis of probability. For coffee, china and astronaut, the dot for the highest cells lies far to the left of all others. For flower and rocket it lies as far left as the dot for the middle. For the cat all dots lie together."
# sphinx_gallery_thumbnail_number = 1
fig, ax = plt.subplots(figsize=(7.2, 2.9))
colors = (viz.GREY, viz.GREEN, viz.PURPLE, viz.BLUE, viz.ORANGE)
markers = "|sD^o"
rows = range(len(NAMES))
for (kind, p), color, marker in zip(left_over.items(), colors, markers, strict=True):
    ax.plot(p, rows, marker, color=color, label=kind, markersize=7)
ax.set(xscale="log", xlabel="probability left", yticks=rows, yticklabels=labels)
ax.invert_yaxis()
_ = ax.legend(title="hidden", loc="center left", bbox_to_anchor=(1, 0.5))

# %%
# Three cases. Where the subject lies to one side (the helmet, the roofs, the cup) the
# map finds it and the middle does not. Where it stands in the middle (the flower, the
# rocket) the map says nothing that the middle did not. And the cat loses about as
# much whatever we cover. Its map is not wrong, since the cells do add up to the
# logit; but a sum over many like cells has no part that the answer hangs on.

high, low, centre = (left_over[k] for k in ("highest", "lowest", "middle"))
assert (high[1:] < 0.5 * low[1:]).all()
assert (high[[1, 2, 5]] < 0.6 * centre[[1, 2, 5]]).all()
assert (centre[[3, 4]] < 0.3 * low[[3, 4]]).all()
cat = torch.stack([p[0] for p in left_over.values()])
assert cat.min() > 0.3 * cat.max()
assert found.mean() > 0.8 and (found < 0.5).float().mean() < 0.15

# %%
# To vary: how many cells are hidden (of five, the missile takes no notice), grey in
# place of the blur, or your own photographs.
