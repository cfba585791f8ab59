"""Residual networks (He et al., 2016), for photographs and for 32x32 images."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F


class Shrink(nn.Module):
    """The shortcut without parameters that the paper calls option A.

    Every second pixel in each direction, and zeros for the channels that are new:
    (N, in, H, W) to (N, out, H / 2, W / 2).
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.new = channels_out - channels_in

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0,) * 5 + (self.new,))


def project(channels_in: int, channels_out: int, stride: int) -> nn.Sequential:
    """The shortcut of option B: a 1x1 convolution and batch norm."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
        nn.BatchNorm2d(channels_out),
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut: (N, in, H, W) to (N, out, H/s, W/s).

    Parameters go by torchvision's names, so that its state dicts can be loaded.
    """

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        stride: int = 1,
        shortcut: Callable[..., nn.Module] = project,
    ) -> None:
        super().__init__()
        conv = {"kernel_size": 3, "padding": 1, "bias": False}
        self.conv1 = nn.Conv2d(channels_in, channels_out, stride=stride, **conv)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, **conv)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = shortcut(channels_in, channels_out, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn1(self.conv1(x)).relu()
        residual = self.bn2(self.conv2(residual))
        kept = x if self.downsample is None else self.downsample(x)
        return (kept + residual).relu()


def stage(
    channels_in: int, channels_out: int, blocks: int, stride: int, **options
) -> nn.Sequential:
    """Blocks in a row, of which the first changes the size."""
    first = BasicBlock(channels_in, channels_out, stride, **options)
    rest = (BasicBlock(channels_out, channels_out) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


def start(model: nn.Module) -> None:
    """Initialise convolutions as He et al. (2015), in the direction of outputs."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")


class ResNet18(nn.Module):
    """ResNet-18 for photographs (N, 3, H, W), H and W at least 32; logits (N, classes).

    11,689,512 parameters with a thousand classes, as in torchvision, whose names the
    parameters bear: a state dict of ``torchvision.models.resnet18`` loads.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = stage(64, 64, 2, 1)
        self.layer2 = stage(64, 128, 2, 2)
        self.layer3 = stage(128, 256, 2, 2)
        self.layer4 = stage(256, 512, 2, 2)
        self.fc = nn.Linear(512, classes)
        start(self)

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.bn1(self.conv1(images)).relu())  # (N, 64, H/4, W/4)
        x = self.layer4(
            self.layer3(self.layer2(self.layer1(x)))
        )  # (N, 512, H/32, W/32)
        return self.fc(x.mean(dim=(2, 3)))


class ResNetCIFAR(nn.Module):
    """The paper's networks for 32x32 images: ``depth`` 20, 32, 44, ...; logits.

    Images (N, 3, H, W), logits (N, classes). Shortcuts are those of option A, as in
    the paper; ResNet-20 has 269,722 parameters with ten classes, which it rounds to
    0.27 million. ``width`` is the number of channels of the first stage. Raises
    ValueError for a depth that is not 6n + 2.
    """

    def __init__(self, depth: int = 20, classes: int = 10, width: int = 16) -> None:
        super().__init__()
        blocks, rest = divmod(depth - 2, 6)
        if rest or blocks < 1:
            raise ValueError(f"the depth should be 8, 14, 20, ..., not {depth}.")
        self.conv1 = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.layers = nn.Sequential(
            stage(width, width, blocks, 1),
            stage(width, 2 * width, blocks, 2, shortcut=Shrink),
            stage(2 * width, 4 * width, blocks, 2, shortcut=Shrink),
        )
        self.fc = nn.Linear(4 * width, classes)
        start(self)

    def forward(self, images: Tensor) -> Tensor:
        x = self.layers(self.bn1(self.conv1(images)).relu())  # (N, 4 width, H/4, W/4)
        return self.fc(x.mean(dim=(2, 3)))
