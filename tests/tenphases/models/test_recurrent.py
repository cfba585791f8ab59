import pytest
import torch
from torch import nn

from tenphases.models.recurrent import GRUCell, LSTMCell, Recurrent, RNNCell

PAIRS = [(RNNCell, nn.RNN), (GRUCell, nn.GRU), (LSTMCell, nn.LSTM)]


def same(cell_class, layer_class, inputs=3, hidden=5):
    """A layer of ours and PyTorch's with the same weights."""
    torch.manual_seed(0)
    theirs = layer_class(inputs, hidden, batch_first=True)
    cell = cell_class(inputs, hidden)
    state = {k.removesuffix("_l0"): v for k, v in theirs.state_dict().items()}
    cell.load_state_dict(state)
    return Recurrent(cell), theirs


@pytest.mark.parametrize(("cell", "layer"), PAIRS)
def test_outputs_states_and_gradients_are_pytorchs(cell, layer):
    ours, theirs = same(cell, layer)
    x = torch.randn(2, 7, 3)
    outputs, state = ours(x)
    expected, last = theirs(x)
    last = last if isinstance(last, tuple) else (last,)
    torch.testing.assert_close(outputs, expected)
    for mine, its in zip(state, last, strict=True):
        torch.testing.assert_close(mine, its[0])
    outputs.square().sum().backward()
    expected.square().sum().backward()
    for mine, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, its.grad)


@pytest.mark.parametrize(("cell", "layer"), PAIRS)
def test_a_sequence_may_be_cut_and_taken_up_again(cell, layer):
    ours, _ = same(cell, layer)
    x = torch.randn(2, 7, 3)
    whole, _ = ours(x)
    first, state = ours(x[:, :4])
    rest, _ = ours(x[:, 4:], state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)


@pytest.mark.parametrize("cell", [RNNCell, GRUCell, LSTMCell])
def test_weights_start_within_one_over_the_root_of_the_width(cell):
    for p in cell(20, 100).parameters():
        assert 0.05 < p.abs().max() <= 0.1
