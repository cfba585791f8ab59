"""Recurrent cells, and a layer that runs any of them over a sequence."""

import math

import torch
from torch import Tensor, nn

State = tuple[Tensor, ...]


class Cell(nn.Module):
    """What the cells share: weights of the input and of the state, ``gates`` times.

    Weights have the shapes and the start of PyTorch's cells (uniform within
    1 / sqrt(hidden)), and their names, so that state dicts can be exchanged.
    """

    gates = 1

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        rows = self.gates * hidden
        self.weight_ih = nn.Parameter(torch.empty(rows, inputs))
        self.weight_hh = nn.Parameter(torch.empty(rows, hidden))
        self.bias_ih = nn.Parameter(torch.empty(rows))
        self.bias_hh = nn.Parameter(torch.empty(rows))
        for p in self.parameters():
            nn.init.uniform_(p, -1 / math.sqrt(hidden), 1 / math.sqrt(hidden))

    def start(self, batch: int) -> State:
        """Return the state before the first step, zeros (batch, hidden)."""
        return (self.weight_hh.new_zeros(batch, self.hidden),)

    def parts(self, x: Tensor, h: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return what input and state give each gate, (batch, hidden) each."""
        from_input = x @ self.weight_ih.T + self.bias_ih
        from_state = h @ self.weight_hh.T + self.bias_hh
        return list(from_input.chunk(self.gates, 1)), list(
            from_state.chunk(self.gates, 1)
        )


class RNNCell(Cell):
    """h' = tanh(W x + U h + b) (Elman, 1990). Input (B, inputs), state (B, hidden)."""

    def forward(self, x: Tensor, state: State) -> State:
        (a,), (b,) = self.parts(x, state[0])
        return ((a + b).tanh(),)


class GRUCell(Cell):
    """Gated recurrent unit (Cho et al., 2014), in PyTorch's variant.

    r, z are the reset and update gates; the candidate is
    n = tanh(W x + b + r * (U h + c)), and h' = (1 - z) n + z h.
    """

    gates = 3

    def forward(self, x: Tensor, state: State) -> State:
        (h,) = state
        (rx, zx, nx), (rh, zh, nh) = self.parts(x, h)
        r, z = (rx + rh).sigmoid(), (zx + zh).sigmoid()
        n = (nx + r * nh).tanh()
        return ((1 - z) * n + z * h,)


class LSTMCell(Cell):
    """Long short-term memory with a forget gate (Gers et al., 2000).

    The state is (h, c): c' = f * c + i * g and h' = o * tanh(c').
    """

    gates = 4

    def start(self, batch: int) -> State:
        (zeros,) = super().start(batch)
        return zeros, zeros

    def forward(self, x: Tensor, state: State) -> State:
        h, c = state
        sums = [a + b for a, b in zip(*self.parts(x, h), strict=True)]
        i, f, g, o = (sums[0].sigmoid(), sums[1].sigmoid(), sums[2].tanh(), sums[3])
        c = f * c + i * g
        return o.sigmoid() * c.tanh(), c


class Recurrent(nn.Module):
    """Run a cell over sequences (B, T, inputs): outputs (B, T, hidden), last state."""

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        self.cell = cell

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        state = self.cell.start(len(x)) if state is None else state
        outputs = []
        for step in x.unbind(dim=1):
            state = self.cell(step, state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1), state
