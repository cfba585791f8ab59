"""Small colour images with CIFAR-10's shape, cut out of ten photographs."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import TensorDataset

from tenphases.data.core import Dataset, Source, package_file
from tenphases.data.photographs import PHOTOGRAPHS, photograph

SIZE, BLOCK = 32, 64  # pixels
STARTS = BLOCK - SIZE + 1  # places for a crop along one side of a block
PHOTO_CLASSES = (*PHOTOGRAPHS, "admiral")
PHOTO_PATCHES = Source(
    name="photo patches",
    origin="crops of photographs in scikit-image, scikit-learn, matplotlib",
    licence="public domain, CC0 1.0, CC BY 2.0, no known restrictions (tissue)",
    note="32x32 crops of data.PHOTOGRAPHS, whose authors photograph_source names, "
    "and of Grace Hopper's portrait by the US Navy. CIFAR-10's shape, but the label "
    "is the photograph: a matter of colour and texture, not of objects. Training "
    "crops overlap one another, yet share no pixel with a test crop.",
)


def photo_patches(seed: int = 0, *, train: int = 5000, test: int = 1000) -> Dataset:
    """32x32 colour crops of ten photographs; the target is the photograph.

    Shapes: inputs (N, 3, 32, 32) float32 in [0, 1]; targets (N,) int64, the index in
    ``classes``. ``train`` and ``test`` count the crops of all classes together.
    ``seed`` deals each photograph's disjoint blocks of 64x64 pixels to the training
    set (five sixths) or the test set, then draws different crops inside them, so no
    pixel is in both sets. The same in both profiles. Raises ValueError for counts
    that ten does not divide or the blocks do not hold, and DataError if a package is
    missing.
    """
    count = len(PHOTO_CLASSES)
    if train % count or test % count:
        raise ValueError(f"photo_patches wants multiples of {count}.")
    generator = torch.Generator().manual_seed(seed)
    parts: tuple[list[Tensor], list[Tensor]] = ([], [])
    for name in PHOTO_CLASSES:
        image = _admiral() if name == "admiral" else photograph(name)
        blocks = _blocks(image)[
            torch.randperm(len(_blocks(image)), generator=generator)
        ]
        tested = round(len(blocks) / 6)
        parts[0].append(_crops(image, blocks[tested:], train // count, generator))
        parts[1].append(_crops(image, blocks[:tested], test // count, generator))
    sets = (_mixed(crops, generator) for crops in parts)
    return Dataset(*sets, classes=PHOTO_CLASSES, features=(), source=PHOTO_PATCHES)


def _admiral() -> Tensor:
    """Return Grace Hopper, uint8 (3, 600, 512); matplotlib is always installed."""
    file = "mpl-data/sample_data/grace_hopper.jpg"
    with Image.open(package_file("matplotlib", file, "photo_patches")) as image:
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)


def _blocks(image: Tensor) -> Tensor:
    """Return the upper left corners of the whole blocks, (blocks, 2)."""
    rows, columns = (torch.arange(side // BLOCK) * BLOCK for side in image.shape[1:])
    return torch.cartesian_prod(rows, columns)


def _crops(image: Tensor, blocks: Tensor, count: int, generator) -> Tensor:
    """Return ``count`` different crops that lie inside the blocks."""
    places = len(blocks) * STARTS**2
    if count > places:
        raise ValueError(f"there are only {places} different crops of a class.")
    place = torch.randperm(places, generator=generator)[:count]
    block, start = place // STARTS**2, place % STARTS**2
    top = blocks[block, 0] + start // STARTS
    left = blocks[block, 1] + start % STARTS
    windows = image.unfold(1, SIZE, 1).unfold(2, SIZE, 1)  # (3, rows, columns, 32, 32)
    return windows[:, top, left].transpose(0, 1)  # (count, 3, 32, 32)


def _mixed(crops: list[Tensor], generator) -> TensorDataset:
    inputs = torch.cat(crops).float().div(255)
    targets = torch.arange(len(crops)).repeat_interleave(len(crops[0]))
    order = torch.randperm(len(inputs), generator=generator)
    return TensorDataset(inputs[order], targets[order])
