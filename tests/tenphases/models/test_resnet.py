import pytest
import torch
import torchvision
from torch.nn import functional as F

from tenphases.models.resnet import BasicBlock, ResNet18, ResNetCIFAR, Shrink


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("training", [False, True])
def test_resnet18_is_torchvisions(training):
    torch.manual_seed(0)
    theirs = torchvision.models.resnet18(weights=None).train(training)
    for module in theirs.modules():  # else the residuals' scales hide mistakes
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    ours = ResNet18().train(training)
    ours.load_state_dict(theirs.state_dict())
    assert count(ours) == count(theirs) == 11_689_512
    images = torch.randn(2, 3, 96, 64)
    torch.testing.assert_close(ours(images), theirs(images))


def test_other_numbers_of_classes():
    assert ResNet18(7)(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def by_hand(depth: int, width: int = 16, classes: int = 10) -> int:
    """Parameters as the paper's table has the layers: weights, batch norms, fc."""
    n = (depth - 2) // 6
    pairs = [(3, width)] + [(width, width)] * 2 * n
    for k in (2, 4):
        pairs += [(k * width // 2, k * width)] + [(k * width, k * width)] * (2 * n - 1)
    return sum(9 * a * b + 2 * b for a, b in pairs) + (4 * width + 1) * classes


@pytest.mark.parametrize("depth", [8, 20, 56])
def test_parameters_are_those_of_the_papers_table(depth):
    model = ResNetCIFAR(depth)
    assert count(model) == by_hand(depth)
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d)]
    assert len(convolutions) + 1 == depth  # the last layer is linear
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_documented_parameter_count():
    assert count(ResNetCIFAR()) == 269_722
    assert "269,722 parameters" in ResNetCIFAR.__doc__


def test_another_depth_is_refused():
    with pytest.raises(ValueError, match=r"8, 14, 20, \.\.\., not 18"):
        ResNetCIFAR(18)


def test_the_shortcut_without_parameters():
    x = torch.randn(2, 3, 6, 4)
    y = Shrink(3, 5, 2)(x)
    assert y.shape == (2, 5, 3, 2)
    assert torch.equal(y[:, :3], x[:, :, ::2, ::2])
    assert not y[:, 3:].any()
    assert not list(Shrink(3, 5, 2).parameters())


def test_a_block_whose_residual_is_zero_keeps_what_it_gets():
    block = BasicBlock(4, 4)
    torch.nn.init.zeros_(block.bn2.weight)
    x = torch.randn(2, 4, 5, 5)
    torch.testing.assert_close(block(x), F.relu(x))
