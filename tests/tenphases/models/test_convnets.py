import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tenphases.models.convnets import DigitNet, conv_block


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def count(model):
    return sum(p.numel() for p in model.parameters())


def test_conv_block_equals_the_functional_operations():
    block = conv_block(2, 3)
    conv, norm, _ = block
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    x = torch.randn(4, 2, 5, 6)
    maps = F.conv2d(x, conv.weight, padding=1)
    # (x - mean) / sqrt(var + eps) a channel, the variance without Bessel's correction
    mean = maps.mean((0, 2, 3), keepdim=True)
    var = maps.var((0, 2, 3), correction=0, keepdim=True)
    weight, bias = (p.view(1, 3, 1, 1) for p in (norm.weight, norm.bias))
    expected = F.relu((maps - mean) / (var + norm.eps).sqrt() * weight + bias)
    torch.testing.assert_close(block(x), expected)

    block.eval()
    stats = (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    torch.testing.assert_close(block(x), F.relu(F.batch_norm(maps, *stats)))
    assert norm.running_mean.any()


def test_conv_block_keeps_height_and_width_and_has_no_idle_bias():
    block = conv_block(1, 8)
    assert block(torch.zeros(2, 1, 9, 11)).shape == (2, 8, 9, 11)
    assert block[0].bias is None  # the batch norm would subtract it


def test_documented_parameter_count():
    assert count(DigitNet()) == 70_330
    assert "70,330 parameters" in DigitNet.__doc__


@pytest.mark.parametrize(("classes", "width"), [(10, 16), (3, 4), (26, 8)])
def test_shape_and_parameter_count(classes, width):
    model = DigitNet(classes, width)
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, classes)
    pairs = [(1, 1 * width), (width, 2 * width), (2 * width, 2 * width)]
    pairs += [(2 * width, 4 * width), (4 * width, 4 * width)]
    # 9 weights a pair of channels, 2 numbers of batch norm a channel
    blocks = sum((9 * n_in + 2) * n_out for n_in, n_out in pairs)
    assert count(model) == blocks + (4 * width + 1) * classes


def test_map_sizes_are_those_in_the_comments():
    model, sizes = DigitNet(), []
    for layer in model.features:
        if isinstance(layer, nn.MaxPool2d):
            layer.register_forward_hook(lambda *a: sizes.append(tuple(a[2].shape)))
    model(torch.zeros(2, 1, 28, 28))
    assert sizes == [(2, 16, 14, 14), (2, 32, 7, 7)]


def test_backward_reaches_every_parameter():
    model = DigitNet(width=4)
    images, targets = torch.rand(16, 1, 28, 28), torch.arange(16) % 10
    F.cross_entropy(model(images), targets).backward()
    missed = [
        name
        for name, p in model.named_parameters()
        if p.grad is None or not p.grad.any()
    ]
    assert missed == []


@pytest.mark.parametrize("size", [(4, 4), (20, 28), (33, 47)])
def test_other_image_sizes(size):
    assert DigitNet(width=4)(torch.rand(2, 1, *size)).shape == (2, 10)


def test_a_shift_by_the_total_stride_changes_nothing():
    # fresh batch norm maps blank to blank, so the frame's border plays no part
    model = DigitNet(width=4).eval()
    images = torch.zeros(3, 1, 64, 64)
    images[0, 0, 28:34, 28:34] = stroke = torch.rand(6, 6)
    images[1, 0, 32:38, 28:34] = stroke  # four pixels lower: the same pooling cells
    images[2, 0, 29:35, 28:34] = stroke  # one pixel lower: other cells
    with torch.no_grad():
        first, by_four, by_one = model(images)
    torch.testing.assert_close(first, by_four)
    assert not torch.allclose(first, by_one)


def test_evaluation_does_not_depend_on_the_rest_of_the_batch():
    model = DigitNet(width=4)
    images = torch.rand(8, 1, 28, 28)
    with torch.no_grad():
        assert not torch.allclose(model(images)[:2], model(images[:2]))
        model.eval()
        torch.testing.assert_close(model(images)[:2], model(images[:2]))


def test_state_dict_round_trip_through_a_file(tmp_path):
    model, other = DigitNet(width=4), DigitNet(width=4)
    images = torch.rand(8, 1, 28, 28)
    model(images)  # moves the running statistics, which must travel too
    torch.save(model.state_dict(), tmp_path / "digits.pt")
    other.load_state_dict(torch.load(tmp_path / "digits.pt", weights_only=True))
    with torch.no_grad():
        assert torch.equal(model.eval()(images), other.eval()(images))


def test_wrong_architecture_and_wrong_images_are_refused():
    with pytest.raises(RuntimeError, match="size mismatch for head"):
        DigitNet(classes=10).load_state_dict(DigitNet(classes=26).state_dict())
    with pytest.raises(RuntimeError, match="to have 1 channels, but got 3"):
        DigitNet()(torch.zeros(2, 3, 28, 28))
    with pytest.raises(RuntimeError, match="too small"):
        DigitNet()(torch.zeros(2, 1, 3, 3))
