"""Transformer blocks (Vaswani et al., 2017) and a small GPT (Radford et al., 2019)."""

import math

import torch
from torch import Tensor, nn

from tenphases.models.attention import MultiHeadAttention, causal_mask


def sinusoids(length: int, width: int) -> Tensor:
    """Return the positions' sines and cosines, (length, width), width even.

    Vaswani et al. (2017), section 3.5: column 2i is sin(t / 10000^(2i / width)),
    column 2i + 1 the cosine.
    """
    t = torch.arange(length)[:, None]
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
    return torch.stack([(t * rate).sin(), (t * rate).cos()], dim=-1).flatten(1)


class Block(nn.Module):
    """Attention to itself, then a network for each position; (B, T, width) to same.

    ``norm_first`` normalises before each part, as GPT-2 does; else after it, as in
    the paper of 2017. The network has 4 * width hidden units unless told otherwise.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        hidden: int | None = None,
        dropout: float = 0.0,
        norm_first: bool = True,
        activation: type[nn.Module] = nn.GELU,
    ) -> None:
        super().__init__()
        hidden = 4 * width if hidden is None else hidden
        self.norm_first = norm_first
        self.attention = MultiHeadAttention(width, heads, dropout)
        self.network = nn.Sequential(
            nn.Linear(width, hidden),
            activation(),
            nn.Linear(hidden, width),
            nn.Dropout(dropout),
        )
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask`` is broadcast to (B, heads, T, T), True where one may look."""
        if self.norm_first:
            x = x + self.attention(self.norm1(x), mask=mask)[0]
            return x + self.network(self.norm2(x))
        x = self.norm1(x + self.attention(x, mask=mask)[0])
        return self.norm2(x + self.network(x))


class GPT(nn.Module):
    """A language model: tokens (B, T), T at most ``context``, to logits (B, T, vocab).

    Logit t depends on the tokens 0, ..., t alone. As in GPT-2, positions are learned,
    blocks normalise first, the last layer shares its weights with the embedding, and
    weights start normal with deviation 0.02, those that end a residual branch smaller
    by the root of the number of branches.
    """

    def __init__(
        self,
        vocab: int,
        context: int,
        *,
        width: int = 128,
        heads: int = 4,
        depth: int = 4,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.context = context
        self.tokens = nn.Embedding(vocab, width)
        self.positions = nn.Embedding(context, width)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            Block(width, heads, dropout=dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocab, bias=False)
        self.head.weight = self.tokens.weight
        self.apply(self._start)
        for block in self.blocks:
            for last in (block.attention.out, block.network[2]):
                nn.init.normal_(last.weight, std=0.02 / math.sqrt(2 * depth))

    @staticmethod
    def _start(module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        if length > self.context:
            raise ValueError(f"{length} tokens exceed the context of {self.context}.")
        positions = torch.arange(length, device=tokens.device)
        x = self.dropout(self.tokens(tokens) + self.positions(positions))
        mask = causal_mask(length, tokens.device)
        for block in self.blocks:
            x = block(x, mask)
        return self.head(self.norm(x))

    @torch.no_grad()
    def sample(
        self,
        tokens: Tensor,
        count: int,
        *,
        temperature: float = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw ``count`` more tokens for each row of (B, T); returns (B, T + count).

        Temperature 0 takes the likeliest. The model sees the last ``context`` tokens.
        """
        for _ in range(count):
            logits = self(tokens[:, -self.context :])[:, -1]  # (B, vocab)
            if temperature == 0:
                new = logits.argmax(dim=-1, keepdim=True)
            else:
                p = (logits / temperature).softmax(dim=-1)
                new = torch.multinomial(p, 1, generator=generator)
            tokens = torch.cat([tokens, new], dim=1)
        return tokens
