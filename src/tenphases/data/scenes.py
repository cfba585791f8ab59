"""Scenes of several handwritten digits with exact boxes, for object detection."""

from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tenphases.data.core import Source
from tenphases.data.images import mnist

SCENE_SIDE = 128  # pixels
DIGITS, PIECES = (3, 6), (6, 12)  # fewest and most in a scene
SIDES = (20, 56)  # an image of 28x28 is resized to a side between these
PALEST, OVERLAP, TRIES = 0.55, 0.1, 50
DIGIT_SCENES = Source(
    name="digit scenes",
    origin="composed here of MNIST's images; LeCun, Cortes and Burges 1998",
    licence="CC BY-SA 3.0",
    note="Real digits in made-up scenes of 128x128 pixels, after the cluttered MNIST "
    "of Mnih and others (2014): 3 to 6 digits between 6 to 12 pieces of others. A "
    "box is the extent of the digit's own ink. Digits of the training set stand in "
    "training scenes only, those of the test set in test scenes only.",
)
Target = dict[str, Tensor]
Box = tuple[int, int, int, int]  # left, top, right, bottom


def digit_scenes(
    count: int, *, part: str = "train", seed: int = 0
) -> tuple[Tensor, list[Target]]:
    """Scenes with three to six digits of several sizes on cluttered paper.

    Shapes: images (N, 1, 128, 128) float32 in [0, 1], ink is 1; for each scene a
    dict of ``boxes`` (digits, 4) float32, left, top, right and bottom in pixels,
    and ``labels`` (digits,) int64, 0 to 9, as torchvision's detectors take them
    (which keep label 0 for the background: add 1). A digit's longer side has 13 to
    40 pixels or so. Two boxes share at most a tenth of the smaller one. ``part`` is
    ``train`` or ``test`` and says whose digits are drawn, pieces included: with
    any ``seed``, training scenes hold no test digit. More scenes of a seed begin
    with the fewer. Raises ValueError for another part or no scene, DataError as
    :func:`tenphases.data.mnist`, whose profile decides how many digits there are.
    """
    if part not in ("train", "test") or count < 1:
        raise ValueError("digit_scenes wants a count from 1, and part train or test.")
    images, labels = getattr(mnist(), part).tensors
    pixels, resizers = images[:, 0].numpy(), [_resizer(n) for n in range(*SIDES)]
    generator = torch.Generator().manual_seed(2 * seed + (part == "test"))
    random = Random(2 * seed + (part == "test"))
    scenes, targets = [], []
    for _ in range(count):
        scene = _paper(generator)
        boxes, rows = _fill(scene.numpy(), pixels, resizers, random)
        scene += 0.05 * torch.randn(scene.shape, generator=generator)
        scenes.append(scene.clamp_(0, 1)[None])
        targets.append({"boxes": torch.tensor(boxes).float(), "labels": labels[rows]})
    return torch.stack(scenes), targets


def _resizer(side: int) -> np.ndarray:
    """Return the matrix (side, 28) that resizes columns of 28 pixels."""
    identity = torch.eye(28)[None, None]
    # NumPy does the rest: on arrays as small as these it is several times as fast
    return F.interpolate(identity, (side, 28), mode="bilinear", antialias=True)[
        0, 0
    ].numpy()


def _paper(generator: torch.Generator) -> Tensor:
    """Return paper with a few smooth shadows, (128, 128)."""
    coarse = torch.rand(1, 1, 4, 4, generator=generator)
    size = (SCENE_SIDE, SCENE_SIDE)
    return 0.3 * F.interpolate(coarse, size, mode="bilinear")[0, 0]


def _fill(
    scene: np.ndarray, pixels: np.ndarray, resizers: list[np.ndarray], random: Random
) -> tuple[list[Box], list[int]]:
    """Draw pieces and digits, and return the digits' boxes and rows."""
    for _ in range(random.randint(*PIECES)):
        ink, _ = _digit(pixels, resizers, random)
        piece = _cut(ink, random)
        _draw(scene, piece, _place(piece, random))
    boxes, rows = [], []
    for _ in range(random.randint(*DIGITS)):
        ink, row = _digit(pixels, resizers, random)
        for _ in range(TRIES):  # a crowded scene stays a digit short
            box = _place(ink, random)
            if all(_shared(box, other) <= OVERLAP for other in boxes):
                _draw(scene, ink, box)
                boxes.append(box)
                rows.append(row)
                break
    return boxes, rows


def _digit(pixels, resizers, random: Random) -> tuple[np.ndarray, int]:
    """Return the ink of a random digit, cut to its extent, and its row."""
    row, resizer = random.randrange(len(pixels)), random.choice(resizers)
    ink = resizer @ pixels[row] @ resizer.T
    (top, bottom), (left, right) = (
        (line[0], line[-1] + 1) for line in map(np.flatnonzero, _extent(ink > 0.3))
    )
    return random.uniform(PALEST, 1) * ink[top:bottom, left:right], row


def _extent(dark: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return dark.any(axis=1), dark.any(axis=0)


def _cut(ink: np.ndarray, random: Random) -> np.ndarray:
    """Return a random piece of about a third of the digit's longer side."""
    length = max(max(ink.shape) // 3, 4)
    top, left = (random.randint(0, max(n - length, 0)) for n in ink.shape)
    return ink[top : top + length, left : left + length]


def _place(ink: np.ndarray, random: Random) -> Box:
    """Return a random place that lies in the scene as a whole."""
    height, width = ink.shape
    top, left = (random.randint(0, SCENE_SIDE - n) for n in ink.shape)
    return left, top, left + width, top + height


def _draw(scene: np.ndarray, ink: np.ndarray, box: Box) -> None:
    left, top, right, bottom = box
    window = scene[top:bottom, left:right]
    np.maximum(window, ink, out=window)


def _shared(one: Box, other: Box) -> float:
    """Return the share of the smaller box that two have in common."""
    (a, b, c, d), (e, f, g, h) = one, other
    common = max(min(c, g) - max(a, e), 0) * max(min(d, h) - max(b, f), 0)
    return common / min((c - a) * (d - b), (g - e) * (h - f))
