"""Models that draw: a variational autoencoder and a deep convolutional GAN."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tenphases.models.mlp import mlp


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) || N(0, 1)) in nats, summed over the last dimension.

    Shapes: (..., D) each, result (...). Kingma and Welling (2014), appendix B.
    """
    return (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=-1) / 2


class VAE(nn.Module):
    """Variational autoencoder of images with values in [0, 1] (Kingma, Welling, 2014).

    Encoder and decoder have one hidden layer. ``shape`` is that of an image.
    """

    def __init__(
        self, shape: tuple[int, ...] = (1, 28, 28), hidden: int = 400, latent: int = 2
    ) -> None:
        super().__init__()
        self.shape = tuple(shape)
        pixels = torch.Size(shape).numel()
        self.encoder = mlp(pixels, hidden, 2 * latent)
        self.decoder = mlp(latent, hidden, pixels)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of the code, (N, latent) each."""
        return self.encoder(images.flatten(1)).chunk(2, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """Return logits of the pixels, (N, *shape), for codes (N, latent)."""
        return self.decoder(codes).unflatten(1, self.shape)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, mean and log variance; the code between is drawn."""
        mean, log_variance = self.encode(images)
        noise = torch.randn_like(mean)
        return (
            self.decode(mean + (log_variance / 2).exp() * noise),
            mean,
            log_variance,
        )

    def loss(self, images: Tensor) -> Tensor:
        """Minus the evidence lower bound in nats: the mean over the images."""
        logits, mean, log_variance = self(images)
        wrong = F.binary_cross_entropy_with_logits(logits, images, reduction="none")
        kl = kl_to_standard_normal(mean, log_variance)
        return (wrong.flatten(1).sum(dim=1) + kl).mean()


def start_dcgan(module: nn.Module) -> None:
    """Weights as the paper has them: convolutions N(0, 0.02), norms N(1, 0.02)."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


def generator(latent: int = 64, width: int = 32, channels: int = 1) -> nn.Sequential:
    """Return a DCGAN generator: codes (N, latent, 1, 1) to (N, channels, 28, 28).

    Pixels lie in (-1, 1). Radford et al. (2016), with 28 in place of 64 pixels: the
    sides grow 1, 7, 14, 28.
    """
    up = {"kernel_size": 4, "stride": 2, "padding": 1, "bias": False}
    model = nn.Sequential(
        nn.ConvTranspose2d(latent, 2 * width, 7, bias=False),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, **up),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, channels, **up),
        nn.Tanh(),
    )
    return model.apply(start_dcgan)


def discriminator(width: int = 32, channels: int = 1) -> nn.Sequential:
    """Return a DCGAN discriminator: images (N, channels, 28, 28) to logits (N,).

    Radford et al. (2016): strided convolutions, no norm in the first layer.
    """
    down = {"kernel_size": 4, "stride": 2, "padding": 1, "bias": False}
    model = nn.Sequential(
        nn.Conv2d(channels, width, **down),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, **down),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * width, 1, 7),
        nn.Flatten(0),
    )
    return model.apply(start_dcgan)
