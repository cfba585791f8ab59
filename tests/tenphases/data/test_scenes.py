import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import box_iou

from tenphases import data
from tenphases.data import scenes


def same(first, second):
    return torch.equal(first[0], second[0]) and all(
        torch.equal(a[key], b[key])
        for a, b in zip(first[1], second[1], strict=True)
        for key in ("boxes", "labels")
    )


def test_digit_scenes(cache):
    images, targets = data.digit_scenes(40)
    assert images.shape == (40, 1, 128, 128) and images.dtype == torch.float32
    assert images.min() >= 0 and images.max() <= 1
    assert len(targets) == 40 and not cache.exists()
    counts = [len(target["boxes"]) for target in targets]
    assert max(counts) == 6 and min(counts) >= 1 and sum(counts) > 150
    for target in targets:
        boxes, labels = target["boxes"], target["labels"]
        assert boxes.dtype == torch.float32 and labels.dtype == torch.int64
        assert boxes.shape == (len(labels), 4)
        assert boxes.min() >= 0 and boxes.max() <= 128
        assert (boxes[:, 2:] > boxes[:, :2]).all()
        apart = box_iou(boxes, boxes).fill_diagonal_(0)
        assert apart.max() <= scenes.OVERLAP
    boxes = torch.cat([target["boxes"] for target in targets])
    sides = (boxes[:, 2:] - boxes[:, :2]).amax(dim=1)
    assert sides.min() < 20 and sides.max() > 35
    assert torch.cat([target["labels"] for target in targets]).unique().numel() == 10


def test_boxes_are_the_extent_of_the_ink(monkeypatch):
    # no pieces, shadows or noise: what is dark is a digit
    monkeypatch.setattr(scenes, "PIECES", (0, 0))
    monkeypatch.setattr(scenes, "DIGITS", (1, 1))
    monkeypatch.setattr(scenes, "_paper", lambda generator: torch.zeros(128, 128))
    monkeypatch.setattr(torch, "randn", lambda *a, **k: torch.zeros(128, 128))
    images, targets = data.digit_scenes(60)
    for image, target in zip(images, targets, strict=True):
        left, top, right, bottom = target["boxes"][0].int().tolist()
        rows, columns = (image[0] > 0).nonzero().T
        assert (rows.min(), rows.max() + 1) == (top, bottom)
        assert (columns.min(), columns.max() + 1) == (left, right)


def test_a_part_draws_only_its_own_digits(monkeypatch):
    seen = []
    digit = scenes._digit

    def spy(pixels, resizers, random):
        ink, row = digit(pixels, resizers, random)
        seen.append(torch.from_numpy(pixels[row]))
        return ink, row

    monkeypatch.setattr(scenes, "_digit", spy)
    digits = data.mnist()
    for part in ("train", "test"):
        seen.clear()
        data.digit_scenes(3, part=part, seed=5)
        pool = getattr(digits, part).tensors[0].flatten(1)
        assert len(seen) > 20
        assert all((pool == ink.flatten()).all(dim=1).any() for ink in seen)


def test_labels_are_the_digits_own(monkeypatch):
    rows = []
    fill = scenes._fill

    def spy(*arguments):
        boxes, found = fill(*arguments)
        rows.append(found)
        return boxes, found

    monkeypatch.setattr(scenes, "_fill", spy)
    _, targets = data.digit_scenes(5, part="test")
    labels = data.mnist().test.tensors[1]
    for target, found in zip(targets, rows, strict=True):
        assert torch.equal(target["labels"], labels[found])


@pytest.mark.parametrize("side", scenes.SIDES)
def test_resizing_is_interpolation(side):
    image = data.mnist().train.tensors[0][:1]
    resizer = torch.from_numpy(scenes._resizer(side))
    oracle = F.interpolate(image, (side, side), mode="bilinear", antialias=True)
    torch.testing.assert_close(resizer @ image[0, 0] @ resizer.T, oracle[0, 0])


def test_seed_part_and_count():
    before = torch.get_rng_state()
    first = data.digit_scenes(4)
    assert torch.equal(torch.get_rng_state(), before)
    assert same(first, data.digit_scenes(4))
    more = data.digit_scenes(6)
    assert same(first, (more[0][:4], more[1][:4]))
    for options in ({"seed": 1}, {"part": "test"}):
        assert not torch.equal(first[0], data.digit_scenes(4, **options)[0])
    assert isinstance(data.DIGIT_SCENES, data.Source)


@pytest.mark.parametrize("options", [{"count": 0}, {"count": 1, "part": "valid"}])
def test_scenes_that_cannot_be_had(options):
    with pytest.raises(ValueError, match="a count from 1, and part train or test"):
        data.digit_scenes(**options)
