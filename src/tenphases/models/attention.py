"""Attention (Bahdanau et al., 2015; Vaswani et al., 2017)."""

import math

import torch
from torch import Tensor, nn


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention: what is looked up, and the weights.

    Shapes: query (..., T, D), key (..., S, D), value (..., S, E); result (..., T, E)
    and weights (..., T, S), whose rows sum to 1. ``mask`` is boolean, broadcast to
    the weights, and True where a query may look (as in PyTorch's
    ``scaled_dot_product_attention``). Vaswani et al. (2017), equation 1.
    """
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)
    return weights @ value, weights


def causal_mask(length: int, device: torch.device | None = None) -> Tensor:
    """Return a (length, length) mask: position t may look at 0, ..., t."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


class MultiHeadAttention(nn.Module):
    """Attention of several heads, each on its own projection of (B, T, width).

    Raises ValueError if ``width`` is not divisible by ``heads``. Vaswani et al.
    (2017), section 3.2.2.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"{heads} heads do not share {width} features evenly.")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Let each position of x look at ``memory``, or at x itself.

        x (B, T, width), memory (B, S, width), mask broadcast to (B, heads, T, S) and
        True where one may look. Returns (B, T, width) and weights (B, heads, T, S).
        """
        memory = x if memory is None else memory
        q, k, v = (
            layer(source).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for layer, source in (
                (self.query, x),
                (self.key, memory),
                (self.value, memory),
            )
        )  # (B, heads, T or S, width / heads)
        found, weights = attend(q, k, v, mask)
        joined = found.transpose(1, 2).flatten(2)  # (B, T, width)
        return self.dropout(self.out(joined)), weights


class AdditiveAttention(nn.Module):
    """A score by a small network, w · tanh(W q + U k) (Bahdanau et al., 2015).

    query (B, Q), keys (B, S, K), mask (B, S), True where one may look; returns the
    weighted mean of the keys, (B, K), and the weights (B, S).
    """

    def __init__(self, query: int, key: int, hidden: int) -> None:
        super().__init__()
        self.of_query = nn.Linear(query, hidden, bias=False)
        self.of_key = nn.Linear(key, hidden, bias=False)
        self.score = nn.Linear(hidden, 1, bias=False)

    def forward(
        self, query: Tensor, keys: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        mixed = self.of_query(query)[:, None] + self.of_key(keys)  # (B, S, hidden)
        scores = self.score(mixed.tanh())[..., 0]
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        weights = scores.softmax(dim=-1)
        return (weights[:, None] @ keys)[:, 0], weights
