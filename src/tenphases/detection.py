"""How good a detector is: matches, precision and recall, average precision.

A prediction is a dict of ``boxes`` (N, 4) as left, top, right, bottom, ``scores``
(N,) and ``labels`` (N,); a truth has boxes and labels. Torchvision's detectors use
the same dicts, and its ``ops`` have intersection over union and the suppression of
non-maxima. What follows is the measure of PASCAL VOC (Everingham et al., 2010, with
the exact area that VOC has used since 2010), with the matching of COCO.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import box_iou

Boxes = dict[str, Tensor]


def match(prediction: Boxes, truth: Boxes, iou: float = 0.5) -> Tensor:
    """Return for each predicted box the true one that it finds, or -1: (N,) int64.

    The surest box chooses first: of the true boxes of its label that nobody has
    found, the one with the largest intersection over union, if that is at least
    ``iou``. So of two boxes on one object the less sure is a mistake.
    """
    found = torch.full((len(prediction["labels"]),), -1)
    if not len(found) or not len(truth["labels"]):
        return found
    overlap = box_iou(prediction["boxes"], truth["boxes"])  # (N, M)
    overlap[prediction["labels"][:, None] != truth["labels"]] = 0
    for i in prediction["scores"].argsort(descending=True, stable=True).tolist():
        best, j = overlap[i].max(dim=0)
        if best >= iou:
            found[i] = j
            overlap[:, j] = 0
    return found


def precision_recall(
    predictions: Sequence[Boxes],
    truths: Sequence[Boxes],
    label: int | None = None,
    iou: float = 0.5,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return precision, recall and score, (N,) each, when the N surest boxes count.

    All images are taken together, and only the class ``label``, or every class. The
    scores fall, so that row k says what a threshold at its score would give. Raises
    ValueError if there are not as many predictions as truths, or no true box.
    """
    return _curve(*_outcomes(predictions, truths, iou), label)


def average_precision(
    predictions: Sequence[Boxes],
    truths: Sequence[Boxes],
    label: int | None = None,
    iou: float = 0.5,
) -> float:
    """Area under precision against recall of a class, 1 at best.

    At each recall the precision counts that can be had at this recall or a higher
    one. Raises ValueError as :func:`precision_recall`.
    """
    return _area(*precision_recall(predictions, truths, label, iou)[:2])


def mean_average_precision(
    predictions: Sequence[Boxes], truths: Sequence[Boxes], iou: float = 0.5
) -> float:
    """Mean of :func:`average_precision` over the classes that occur in the truths.

    Raises ValueError as :func:`precision_recall`.
    """
    guesses, known = _outcomes(predictions, truths, iou)
    labels = known.unique().tolist() or [None]
    areas = [_area(*_curve(guesses, known, label)[:2]) for label in labels]
    return sum(areas) / len(areas)


def _outcomes(
    predictions: Sequence[Boxes], truths: Sequence[Boxes], iou: float
) -> tuple[Tensor, Tensor]:
    """Return label, score and hit of each predicted box, (N, 3), and true labels."""
    guesses, known = [torch.empty(0, 3)], []
    for prediction, truth in zip(predictions, truths, strict=True):
        hits = match(prediction, truth, iou) >= 0
        rows = prediction["labels"], prediction["scores"], hits
        guesses.append(torch.stack([row.float() for row in rows], dim=1))
        known.append(truth["labels"])
    return torch.cat(guesses), torch.cat(known)


def _curve(
    guesses: Tensor, known: Tensor, label: int | None
) -> tuple[Tensor, Tensor, Tensor]:
    if label is not None:
        guesses, known = guesses[guesses[:, 0] == label], known[known == label]
    if not len(known):
        raise ValueError("there is no true box to be found.")
    guesses = guesses[guesses[:, 1].argsort(descending=True, stable=True)]
    right = guesses[:, 2].cumsum(0)
    return right / torch.arange(1, len(right) + 1), right / len(known), guesses[:, 1]


def _area(precision: Tensor, recall: Tensor) -> float:
    if not len(recall):
        return 0.0
    best = precision.flip(0).cummax(0).values.flip(0)
    steps = recall.diff(prepend=recall.new_zeros(1))
    return float((steps * best).sum())
