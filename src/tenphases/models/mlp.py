"""Fully connected networks."""

import itertools

from torch import nn


def mlp(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """Return a multilayer perceptron, ``mlp(4, 32, 3)`` with one hidden layer.

    Maps (N, widths[0]) to (N, widths[-1]); the last layer has no activation.
    ``mlp(784, 10)`` is softmax regression. Raises ValueError for fewer than two
    widths.
    """
    if len(widths) < 2:
        raise ValueError(f"mlp wants an input and an output width, not {widths}.")
    layers: list[nn.Module] = []
    for n_in, n_out in itertools.pairwise(widths):
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers[:-1])
