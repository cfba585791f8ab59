import pytest
import torch

from tenphases import data
from tenphases.data import patches


def sets(**options):
    patched = data.photo_patches(**options)
    return [*patched.train.tensors, *patched.test.tensors]


def test_photo_patches(cache):
    found = data.photo_patches()
    for part, count in ((found.train, 5000), (found.test, 1000)):
        images, labels = part.tensors
        assert images.shape == (count, 3, 32, 32) and images.dtype == torch.float32
        assert images.min() == 0 and images.max() == 1 and images.is_contiguous()
        assert labels.bincount().tolist() == [count // 10] * 10
        assert labels[:100].unique().numel() == 10  # in random order
    assert len(found.classes) == 10 and found.features == ()
    report = str(found).splitlines()
    assert len(report) == 5 and all(len(line) <= 78 for line in report)
    assert not cache.exists()  # nothing was fetched


def test_no_pixel_is_in_both_sets(monkeypatch):
    # photographs whose pixels are their own numbers
    height, width = 200, 330
    image = torch.arange(height * width).reshape(1, height, width).expand(3, -1, -1)
    monkeypatch.setattr(patches, "photograph", lambda name: image)
    monkeypatch.setattr(patches, "_admiral", lambda: image)
    train, labels, test, tested = sets(train=2000, test=500)
    for label in range(10):
        ours, theirs = (
            (images[targets == label] * 255).double().round().unique()
            for images, targets in ((train, labels), (test, tested))
        )
        assert not torch.isin(ours, theirs).any()
        blocks = 3 * 5
        assert len(ours) + len(theirs) > 0.7 * blocks * 64**2


def test_crops_are_windows_of_their_photograph_and_differ():
    train, labels, *_ = sets(train=500, test=10)
    cat = data.photograph("cat").float() / 255
    windows = cat.unfold(1, 32, 1).unfold(2, 32, 1)
    for crop in train[labels == data.PHOTOGRAPHS.index("cat")][:5]:
        same = (windows[0, :, :, 0, 0] == crop[0, 0, 0]).nonzero()
        assert any(torch.equal(windows[:, y, x], crop) for y, x in same.tolist())
    few = data.photo_patches(train=50, test=10).train.tensors[0]
    assert len(few.flatten(1).unique(dim=0)) == 50


def test_seed_deals_the_blocks_and_the_global_generator_is_left_alone(monkeypatch):
    before = torch.get_rng_state()
    first, again, other = (sets(seed=s, train=100, test=50) for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0]) and not torch.equal(first[2], other[2])
    monkeypatch.setenv("TENPHASES_DATA", "full")
    full = sets(seed=3, train=100, test=50)
    assert all(torch.equal(a, b) for a, b in zip(first, full, strict=True))


def test_counts_that_cannot_be_had():
    with pytest.raises(ValueError, match="multiples of 10"):
        data.photo_patches(train=5001)
    with pytest.raises(ValueError, match=r"only \d+ different crops"):
        data.photo_patches(test=1_000_000)


def test_average_colours_tell_much_but_not_all():
    train, labels, test, tested = sets()
    colours, wanted = (
        torch.cat([x.mean((2, 3)), x.std((2, 3))], dim=1) for x in (train, test)
    )
    nearest = torch.cdist(wanted, colours).argmin(dim=1)
    assert 0.5 < (labels[nearest] == tested).float().mean() < 0.95
