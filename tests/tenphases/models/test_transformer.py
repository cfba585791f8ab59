import math

import pytest
import torch
from torch import nn

from tenphases.models.attention import causal_mask
from tenphases.models.transformer import GPT, Block, sinusoids


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def test_sinusoids_are_the_papers_formula():
    table = sinusoids(5, 6)
    for t in range(5):
        for i in range(3):
            angle = t / 10_000 ** (2 * i / 6)
            assert table[t, 2 * i].item() == pytest.approx(math.sin(angle), abs=1e-6)
            assert table[t, 2 * i + 1].item() == pytest.approx(
                math.cos(angle), abs=1e-6
            )


def copy_weights(ours: Block, theirs: nn.TransformerEncoderLayer) -> None:
    attention = theirs.self_attn
    parts = (ours.attention.query, ours.attention.key, ours.attention.value)
    weights = attention.in_proj_weight.chunk(3)
    biases = attention.in_proj_bias.chunk(3)
    with torch.no_grad():
        for layer, weight, bias in zip(parts, weights, biases, strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
    pairs = [
        (ours.attention.out, attention.out_proj),
        (ours.network[0], theirs.linear1),
        (ours.network[2], theirs.linear2),
        (ours.norm1, theirs.norm1),
        (ours.norm2, theirs.norm2),
    ]
    for mine, its in pairs:
        mine.load_state_dict(its.state_dict())


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_block_is_pytorchs_encoder_layer(norm_first):
    theirs = nn.TransformerEncoderLayer(
        12, 3, 20, dropout=0.0, activation="gelu", batch_first=True,
        norm_first=norm_first,
    )  # fmt: skip
    for p in theirs.parameters():
        nn.init.normal_(p, std=0.3)
    ours = Block(12, 3, hidden=20, norm_first=norm_first)
    copy_weights(ours, theirs)
    x = torch.randn(2, 5, 12)
    mask = causal_mask(5)
    torch.testing.assert_close(ours(x), theirs(x))
    torch.testing.assert_close(ours(x, mask), theirs(x, src_mask=~mask))


def small() -> GPT:
    return GPT(11, 8, width=16, heads=4, depth=2).eval()


def test_a_later_token_changes_no_earlier_logit():
    model = small()
    tokens = torch.randint(11, (3, 8))
    logits = model(tokens)
    for t in range(8):
        changed = tokens.clone()
        changed[:, t] = (changed[:, t] + 1) % 11
        again = model(changed)
        assert torch.equal(again[:, :t], logits[:, :t])
        assert not torch.equal(again[:, t:], logits[:, t:])


def test_it_starts_as_a_uniform_guess_and_shares_its_embedding():
    model = GPT(65, 32)
    tokens, targets = torch.randint(65, (2, 4, 32))
    loss = nn.functional.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())
    assert loss.item() == pytest.approx(math.log(65), abs=0.3)
    assert model.head.weight is model.tokens.weight
    width, depth = 128, 4
    block = 12 * width**2 + 13 * width  # the usual count: 4 d² + 8 d², and biases
    expected = depth * block + (65 + 32) * width + 2 * width
    assert sum(p.numel() for p in model.parameters()) == expected


def test_too_long_a_text_is_refused_and_sampling_moves_along():
    model = small()
    with pytest.raises(ValueError, match="9 tokens exceed the context of 8"):
        model(torch.zeros(1, 9, dtype=torch.long))
    start = torch.tensor([[1, 2], [3, 4]])
    generator = torch.Generator().manual_seed(0)
    text = model.sample(start, 10, generator=generator)
    assert text.shape == (2, 12)
    assert torch.equal(text[:, :2], start)
    again = model.sample(start, 10, generator=generator.manual_seed(0))
    assert torch.equal(text, again)


def test_temperature_zero_takes_the_likeliest():
    model = small()
    start = torch.tensor([[1, 2]])
    text = model.sample(start, 3, temperature=0)
    for t in range(2, 5):
        assert text[0, t] == model(text[:, :t])[0, -1].argmax()
