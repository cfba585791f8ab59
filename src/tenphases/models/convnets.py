"""Convolutional networks for small images."""

from torch import Tensor, nn


def conv_block(channels_in: int, channels_out: int) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU: (N, in, H, W) to (N, out, H, W).

    The convolution has no bias: the batch norm would subtract it again.
    """
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(),
    )


class DigitNet(nn.Module):
    """A CNN of 70,330 parameters for images (N, 1, 28, 28); logits (N, classes).

    It pools right after the first convolution: on a CPU, convolutions at full
    resolution cost five to ten times as much and gain nothing on MNIST. Blocks
    are those of VGG (Simonyan and Zisserman, 2015) with batch norm (Ioffe and
    Szegedy, 2015) and global average pooling in place of the dense layers, so
    images of any size from 4x4 on will do. ``width`` is the number of channels of
    the first block.
    """

    def __init__(self, classes: int = 10, width: int = 16) -> None:
        super().__init__()
        self.features = nn.Sequential(
            conv_block(1, width),
            nn.MaxPool2d(2),  # (N, 16, 14, 14)
            conv_block(width, 2 * width),
            conv_block(2 * width, 2 * width),
            nn.MaxPool2d(2),  # (N, 32, 7, 7)
            conv_block(2 * width, 4 * width),
            conv_block(4 * width, 4 * width),
        )
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4 * width, classes)
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.features(images))
