import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tenphases.models.attention import (
    AdditiveAttention,
    MultiHeadAttention,
    attend,
    causal_mask,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("masked", [False, True])
def test_attend_is_scaled_dot_product_attention(masked):
    q, k, v = (torch.randn(2, 3, n, 4) for n in (5, 7, 7))
    mask = torch.rand(2, 3, 5, 7) < 0.6 if masked else None
    if masked:
        mask[..., 0] = True  # everyone may look somewhere
    found, weights = attend(q, k, v, mask)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 5))
    if masked:
        assert not weights[~mask].any()


def test_the_causal_mask_is_pytorchs():
    q, k, v = (torch.randn(2, 6, 4) for _ in range(3))
    found, _ = attend(q, k, v, causal_mask(6))
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    torch.testing.assert_close(found, expected)


def with_weights_of(theirs: nn.MultiheadAttention) -> MultiHeadAttention:
    ours = MultiHeadAttention(theirs.embed_dim, theirs.num_heads)
    weights = theirs.in_proj_weight.chunk(3)
    biases = theirs.in_proj_bias.chunk(3)
    layers = (ours.query, ours.key, ours.value)
    with torch.no_grad():
        for layer, weight, bias in zip(layers, weights, biases, strict=True):
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        ours.out.load_state_dict(theirs.out_proj.state_dict())
    return ours


@pytest.mark.parametrize("across", [False, True])
def test_multi_head_attention_is_pytorchs(across):
    theirs = nn.MultiheadAttention(12, 3, batch_first=True)
    nn.init.normal_(theirs.in_proj_bias)
    ours = with_weights_of(theirs)
    x = torch.randn(2, 5, 12)
    memory = torch.randn(2, 7, 12) if across else x
    mask = torch.rand(5, memory.shape[1]) < 0.7
    mask[:, 0] = True
    found, weights = ours(x, memory if across else None, mask)
    expected, expected_weights = theirs(
        x, memory, memory, attn_mask=~mask, average_attn_weights=False
    )
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(weights, expected_weights)


def test_heads_that_do_not_share_evenly_are_refused():
    with pytest.raises(ValueError, match="5 heads do not share 12"):
        MultiHeadAttention(12, 5)


def test_additive_attention_is_the_papers_sum():
    attention = AdditiveAttention(3, 4, 6)
    query, keys = torch.randn(2, 3), torch.randn(2, 5, 4)
    mask = torch.tensor([[True] * 5, [True, True, False, False, True]])
    found, weights = attention(query, keys, mask)
    for b in range(2):
        scores = torch.stack(
            [
                attention.score(
                    (attention.of_query(query[b]) + attention.of_key(key)).tanh()
                )[0]
                for key in keys[b][mask[b]]
            ]
        )
        expected = scores.softmax(0) @ keys[b][mask[b]]
        torch.testing.assert_close(found[b], expected)
    assert not weights[~mask].any()
