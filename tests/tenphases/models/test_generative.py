import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

from tenphases.models.generative import (
    VAE,
    discriminator,
    generator,
    kl_to_standard_normal,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_kl_is_the_closed_form_of_torch_distributions():
    mean, log_variance = torch.randn(5, 3), torch.randn(5, 3)
    own = Normal(mean, (log_variance / 2).exp())
    expected = kl_divergence(own, Normal(0.0, 1.0)).sum(dim=-1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_kl_is_what_drawing_finds():
    mean, log_variance = torch.tensor([0.7, -0.3]), torch.tensor([-0.5, 0.4])
    own = Normal(mean, (log_variance / 2).exp())
    z = own.sample((200_000,))
    drawn = (own.log_prob(z) - Normal(0.0, 1.0).log_prob(z)).sum(dim=-1).mean()
    assert kl_to_standard_normal(mean, log_variance).item() == pytest.approx(
        drawn.item(), abs=0.01
    )


def test_the_vaes_loss_bounds_the_evidence():
    """-ELBO is at least -log p(x), which importance sampling estimates."""
    model = VAE((1, 2, 2), hidden=8, latent=1)
    x = torch.rand(1, 1, 2, 2).round()
    with torch.no_grad():
        loss = torch.stack([model.loss(x) for _ in range(500)]).mean()
        z = torch.linspace(-8, 8, 4001)[:, None]
        logits = model.decode(z)
        log_p = (
            -F.binary_cross_entropy_with_logits(
                logits, x.expand_as(logits), reduction="none"
            )
            .flatten(1)
            .sum(dim=1)
        )
        prior = Normal(0.0, 1.0).log_prob(z[:, 0])
        evidence = (log_p + prior).logsumexp(dim=0) + torch.log(z[1, 0] - z[0, 0])
    assert loss >= -evidence - 0.02
    assert loss < -evidence + 1


def test_codes_are_drawn_with_the_encoders_spread():
    model = VAE((1, 2, 2), hidden=8, latent=1)
    seen = []
    model.decode = lambda codes: seen.append(codes) or torch.zeros(len(codes), 1, 2, 2)
    x = torch.rand(1, 1, 2, 2).expand(20_000, 1, 2, 2)
    with torch.no_grad():
        _, mean, log_variance = model(x)
    assert seen[0].mean().item() == pytest.approx(mean[0].item(), abs=0.05)
    wanted = (log_variance[0] / 2).exp().item()
    assert seen[0].std().item() == pytest.approx(wanted, rel=0.05)


@pytest.mark.parametrize(("latent", "width", "channels"), [(64, 32, 1), (10, 8, 3)])
def test_dcgans_shapes(latent, width, channels):
    images = generator(latent, width, channels)(torch.randn(5, latent, 1, 1))
    assert images.shape == (5, channels, 28, 28)
    assert images.abs().max() < 1
    assert discriminator(width, channels)(images).shape == (5,)


def test_dcgans_start():
    first = generator()[0].weight
    assert first.std().item() == pytest.approx(0.02, rel=0.05)
    assert generator()[1].weight.mean().item() == pytest.approx(1, abs=0.01)
