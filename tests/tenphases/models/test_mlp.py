import itertools

import pytest
import torch
from torch import nn

from tenphases.models.mlp import mlp


def test_two_layers_equal_the_two_matrix_expression():
    model = mlp(5, 7, 3)
    (w1, b1, w2, b2) = model.parameters()
    x = torch.randn(4, 5)
    expected = torch.relu(x @ w1.T + b1) @ w2.T + b2
    torch.testing.assert_close(model(x), expected)


def test_two_widths_are_one_affine_map():
    model = mlp(784, 10)
    assert [type(layer) for layer in model] == [nn.Linear]
    x = torch.randn(2, 784)
    torch.testing.assert_close(model(x), x @ model[0].weight.T + model[0].bias)


@pytest.mark.parametrize("widths", [(3, 2), (4, 32, 3), (2, 8, 8, 8, 1)])
def test_shape_and_parameter_count(widths):
    model = mlp(*widths)
    assert model(torch.zeros(6, widths[0])).shape == (6, widths[-1])
    pairs = itertools.pairwise(widths)
    expected = sum((n_in + 1) * n_out for n_in, n_out in pairs)
    assert sum(p.numel() for p in model.parameters()) == expected


def test_activation_stands_between_the_layers_and_not_at_the_end():
    model = mlp(2, 3, 4, 5, activation=nn.Tanh)
    kinds = [type(layer) for layer in model]
    assert kinds == [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh, nn.Linear]
    # two activations are two modules: a hook on one must not see the other
    assert model[1] is not model[3]


def test_backward_reaches_every_parameter():
    model = mlp(4, 16, 16, 3, activation=nn.Tanh)
    model(torch.randn(8, 4)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


@pytest.mark.parametrize("widths", [(), (784,)])
def test_fewer_than_two_widths_are_refused(widths):
    with pytest.raises(ValueError, match="an input and an output width, not "):
        mlp(*widths)
