"""
Labels for what it never saw
============================

A network trained on ImageNet knows a thousand things. What does it say to our
photographs, and what to pictures that show none of the thousand? It names a cat, an
espresso and a palace, with alternatives that make sense. It cannot say "none of
these": part of a retina becomes a nematode, with more confidence than the palace is
a palace. We measure how far its confidence can be trusted to sort such pictures out.
It helps, but every threshold lets nonsense through or refuses what was right.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from skimage import data as skimage_data
from torchvision.transforms import v2

from tenphases import data, get_device, set_seed, viz
from tenphases.models.pretrained import (
    EFFICIENTNET_LITE0,
    IMAGENET_CLASSES,
    efficientnet_lite0,
    imagenet_transform,
)

viz.use_style()
device = get_device()
set_seed(0)  # for the cut-outs of the last section

# %%
# The network and its transform
# -----------------------------
# Weights alone are not a classifier. With them belong the way in which the training
# images were resized and scaled, and the order of the class names. All three come
# from one place here.

model = efficientnet_lite0().to(device)
prepare = imagenet_transform()
print(EFFICIENTNET_LITE0)
print(prepare)


@torch.no_grad()
def probabilities(images):  # a list of uint8 images (3, H, W), to (N, 1000)
    x = torch.stack([prepare(image) for image in images]).to(device)
    return model(x).softmax(dim=1).cpu()


def colour(array):  # a grey (H, W) or coloured (H, W, 3) array, to (3, H, W)
    array = np.broadcast_to(np.atleast_3d(array), (*array.shape[:2], 3))
    return torch.from_numpy(array.copy()).permute(2, 0, 1)


# %%
# What it knows
# -------------
# Six photographs that show one of the thousand classes, or nearly: a Falcon 9 and a
# dahlia have none of their own, so we accept their relatives. The palace was taken by
# danielbuechele and the dahlia by vultilion, both on Flickr (CC BY 2.0).

names = ("cat", "coffee", "china", "rocket", "flower")
known = {name: data.photograph(name) for name in names}
known["camera"] = colour(skimage_data.camera())
right = {
    "cat": {"tabby", "tiger cat", "Egyptian cat"},
    "coffee": {"espresso", "cup", "coffee mug"},
    "china": {"palace"},
    "rocket": {"missile", "projectile", "space shuttle"},
    "flower": {"daisy"},
    "camera": {"tripod", "reflex camera"},
}


def draw_bars(ax, values, names):
    ax.barh(range(5), values, color=viz.BLUE, height=0.25)
    for y, name in enumerate(names):
        ax.text(0.01, y - 0.25, name, fontsize=8)
    ax.set(xlim=(0, 1), ylim=(4.4, -0.9), yticks=[], xticks=(0, 0.5, 1))
    ax.grid(False)


def top_five(images):
    """Draw each picture with the bars of its five most probable classes."""
    _, axes = plt.subplots(3, 4, figsize=(7.2, 4.6), width_ratios=(1, 1.15) * 2)
    values, indices = probabilities(list(images.values())).topk(5)
    for i, image in enumerate(images.values()):
        picture, bars = axes.flat[2 * i], axes.flat[2 * i + 1]
        viz.show_image(picture, v2.CenterCrop(min(image.shape[1:]))(image))
        names = [IMAGENET_CLASSES[k] for k in indices[i].tolist()]
        draw_bars(bars, values[i].tolist(), names)
        if i < len(images) - 2:
            bars.set_xticklabels([])
        else:
            bars.set_xlabel("probability")


# %%
# Each photograph with its five most probable classes:

# sphinx_gallery_alt = "Six photographs, each beside five bars. A cat: tiger cat, Egyptian cat, tabby. A cup of coffee: espresso, nearly one. A pagoda: palace at about a third, bell cote, monastery. A rocket: missile, projectile, drilling platform. A dahlia: daisy at about a third, bee, mushroom. A man with a camera: tripod, nearly one."
top_five(known)

# %%
# Where it hesitates, as between three kinds of cats, the alternatives make sense: even
# the bee, which is often photographed on a flower. Of the photographer it names the
# tripod, because "man" is no class of ImageNet's thousand.
#
# What it does not know
# ---------------------
# Six pictures that show none of the thousand: part of a retina with small swellings of
# its vessels, handwriting, ancient coins, a whole retina, galaxies, and stained tissue
# under the microscope.

unknown = {
    name: colour(getattr(skimage_data, name)())
    for name in ("microaneurysms", "text", "coins")
}
unknown |= {name: data.photograph(name) for name in ("retina", "galaxies", "tissue")}

# sphinx_gallery_alt = "Six pictures, each beside five bars. Part of a retina: nematode at about 0.7. Handwriting: maze at about 0.4. Coins: bubble, Petri dish, low. A retina: lampshade, mask. Galaxies: flatworm. Stained tissue: wool, trilobite, all low."
# sphinx_gallery_thumbnail_number = 2
top_five(unknown)

# %%
# The softmax makes the thousand probabilities add up to one, whatever comes in. So
# somebody must win. Bright things on an even ground are nematodes, since photographs
# of nematodes look like that. The network is not wrong about the resemblance. It was
# never asked whether there might be anything else.
#
# Can its confidence warn us?
# ---------------------------
# We take six cut-outs of each picture and compare the largest probability. The area
# under the ROC curve (AUC) is how often a cut-out of a known picture gets more than
# one of an unknown picture. One half would be chance. The entropy, which looks at all
# thousand probabilities, is a common alternative.

cut = v2.RandomResizedCrop(256, scale=(0.4, 0.9), ratio=(1, 1))


def cuts(image, count=6):
    square = v2.CenterCrop(min(image.shape[1:]))(image)
    return [cut(square) for _ in range(count)]


pictures = known | unknown
chances = torch.stack(
    [probabilities(cuts(image)) for image in pictures.values()]
)  # (12, 6, 1000)
sure = chances.amax(dim=2)  # (12, 6)
sharp = (chances * chances.log()).sum(dim=2)  # the entropy with a minus sign


def auc(scores):  # (12, 6)
    return (scores[:6].reshape(-1, 1) > scores[6:].flatten()).float().mean().item()


print(
    f"AUC of the largest probability {auc(sure):.2f}, of the entropy {auc(sharp):.2f}"
)
for threshold in (0.3, 0.5, 0.7):
    kept, passed = ((part > threshold).float().mean() for part in (sure[:6], sure[6:]))
    print(f"above {threshold}: {kept:.0%} of the known, {passed:.0%} of the unknown")

# sphinx_gallery_alt = "Dots for six cut-outs in each of twelve rows, the largest probability on the axis. Known pictures: coffee and camera at 0.9 and above, the cat from 0.4 up, palace, rocket and flower mostly between 0.2 and 0.4. Unknown ones: part of a retina above 0.8, the whole retina and handwriting spread from 0.1 to 0.8, coins, galaxies and tissue up to about 0.2."
fig, ax = plt.subplots(figsize=(7.2, 3.2))
for row, (name, values) in enumerate(zip(pictures, sure, strict=True)):
    color = viz.BLUE if name in known else viz.ORANGE
    ax.plot(values, [row] * len(values), "o", color=color, alpha=0.6)
for color, label in ((viz.BLUE, "known"), (viz.ORANGE, "unknown")):
    ax.plot([], [], "o", color=color, label=label)
ax.set(yticks=range(len(pictures)), yticklabels=pictures, xlim=(0, 1))
ax.set_xlabel("largest probability")
ax.invert_yaxis()
_ = ax.legend(loc="lower right")

# %%
# Confidence sorts better than chance, and not nearly well enough to be a guard.
# It measures by how much one class beats the other 999, not whether any fits. If your
# pictures may show something else, give the network examples of it and a class for
# them, or compare features with those of pictures that you know.

whole = probabilities(list(pictures.values()))
answers = [IMAGENET_CLASSES[k] for k in whole.argmax(dim=1).tolist()]
for name, answer in zip(known, answers, strict=False):
    assert answer in right[name]
best = dict(zip(pictures, whole.amax(dim=1).tolist(), strict=True))
assert answers[6] == "nematode" and best["microaneurysms"] > best["china"] + 0.1
assert 0.6 < auc(sure) < 0.97

# %%
# To vary: photographs of your own, or a picture of noise.
