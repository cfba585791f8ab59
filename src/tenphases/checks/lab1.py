"""Checks of Lab 1, ``book/labs/lab_1.md``: tensors and gradients."""

import torch
from torch import Tensor

from tenphases import data
from tenphases.checks import (
    WrongAnswer,
    call,
    require,
    require_number,
    require_tensor,
    returned,
)

TASKS = {
    "t1": ("standardise", 3),
    "t2": ("nearest", 3),
    "t3": ("design", 2),
    "t4": ("loss", 2),
    "t5": ("gradient", 2),
    "t6": ("descend", 3),
    "t7": ("train_on_batches", 2),
    "t8": ("predict", 3),
}
WANTED = 2.3  # miles per gallon, mean absolute error; a straight line has 2.85


def rows(count: int, columns: int = 4, seed: int = 0) -> Tensor:
    """Columns of unlike scales, as a table has them."""
    scale = torch.tensor([1.0, 50.0, 3000.0, 0.2])[:columns]
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, columns, generator=generator) * scale + 2 * scale


def t1(answer: object) -> None:
    train, other = rows(7), rows(3, seed=1)
    constant = rows(7)
    constant[:, 2] = 5.0
    expected = [
        (x - train.mean(0)) / train.std(0, correction=0) for x in (train, other)
    ]
    given = (train.clone(), other.clone())
    result = returned(answer, *given)
    require(isinstance(result, tuple | list), "a tuple of tensors is wanted.")
    require(len(result) == 2, f"two tables in, {len(result)} out.")
    for value, want, name in zip(result, expected, ("train", "other"), strict=True):
        require_tensor(value, want, name, atol=1e-4)
    same = torch.equal(given[0], train) and torch.equal(given[1], other)
    require(same, "your function changed the tables that it was given.")
    (flat,) = returned(answer, constant)
    require(bool(flat.isfinite().all()), "a constant column does not become finite.")
    require(bool((flat[:, 2].abs() < 1e-6).all()), "a constant column should be 0.")


def t2(answer: object) -> None:
    train, queries = rows(20, 2), rows(5, 2, seed=1)
    targets = rows(20, 1, seed=2)
    distances = torch.cdist(queries, train)
    for k in (1, 3, 20):
        chosen = distances.topk(k, largest=False).indices
        expected = targets[:, 0][chosen].mean(dim=1, keepdim=True)
        value = returned(answer, train, targets, queries, k)
        require_tensor(value, expected, f"the prediction with k={k}", atol=1e-4)


def t3(answer: object) -> None:
    x = rows(5, 3)
    expected = torch.cat([torch.ones(5, 1), x, x**2], dim=1)
    require_tensor(returned(answer, x), expected, "the table", atol=1e-3)
    one = returned(answer, x[:1].double())
    require(one.dtype == torch.float64, "float64 in should be float64 out.")


def problem(count: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Weights, inputs and targets of a small regression."""
    inputs = torch.randn(count, 3, generator=torch.Generator().manual_seed(3))
    return torch.tensor([[1.0], [-2.0], [0.5]]), inputs, inputs.sum(1, keepdim=True)


def t4(answer: object) -> None:
    weights, inputs, targets = problem()
    expected = ((inputs @ weights - targets) ** 2).mean()
    require_tensor(returned(answer, weights, inputs, targets), expected, "the loss")
    flat = returned(answer, weights, inputs, targets[:, 0])
    require(isinstance(flat, Tensor), "a tensor is wanted for targets (N,), too.")
    require(
        bool(torch.isclose(flat, expected)),
        f"targets of shape (N,) give {flat.item():.4f}, of shape (N, 1) "
        f"{expected.item():.4f}; what does the subtraction do to the shapes?",
    )


def t5(answer: object) -> None:
    weights, inputs, targets = problem()
    variable = weights.clone().requires_grad_()
    ((inputs @ variable - targets) ** 2).mean().backward()
    with torch.no_grad():
        value = returned(answer, weights, inputs, targets)
        flat = returned(answer, weights, inputs, targets[:, 0])
    require_tensor(value, variable.grad, "the gradient")
    require_tensor(flat, variable.grad, "the gradient with targets (N,)")


def t6(answer: object) -> None:
    start = torch.tensor([[3.0, -1.0], [0.5, 2.0]])
    given = start.clone()
    result = returned(answer, lambda x: (x**2).sum(), given, 0.1, 5)
    pair = isinstance(result, tuple | list) and len(result) == 2
    require(pair, "a pair is wanted: the tensor and the list of values.")
    end, values = result
    require_tensor(end, start * 0.8**5, "the end")
    require(not end.requires_grad, "the end still belongs to a graph; detach it.")
    require(len(values) == 5, f"5 steps should give 5 values, not {len(values)}.")
    expected = [(start**2).sum().item() * 0.64**i for i in range(5)]
    for i, (value, want) in enumerate(zip(values, expected, strict=True)):
        number = require_number(value, f"value {i}")
        require(not isinstance(value, Tensor), "the values should be floats.")
        require(
            abs(number - want) < 1e-3, f"value {i} is {number:.4f}; before or after?"
        )
    require(torch.equal(given, start), "start has other values than before.")
    require(given.grad is None, "start got a .grad; work on a copy.")


def t7(answer: object) -> None:
    _, inputs, targets = problem(8)
    batches = [(inputs[i : i + 4], targets[i : i + 4, 0]) for i in (0, 4)]
    start = torch.zeros(3, 1)
    given = start.clone()
    value = returned(answer, given, batches, 0.05, 3)
    expected = start.clone()
    for _ in range(3):
        for x, y in batches:
            expected -= 0.05 * 2 * x.T @ (x @ expected - y[:, None]) / len(x)
    require(torch.equal(given.detach(), start), "the weights given were changed.")
    require_tensor(value, expected, "the trained weights")
    require(not value.requires_grad, "what is returned still asks for gradients.")


def t8(answer: object) -> None:
    inputs, targets = data.auto_mpg().test.tensors
    value = returned(answer, inputs.clone())
    require(isinstance(value, Tensor), "predict should return a tensor.")
    shape = tuple(value.shape)
    require(
        shape == tuple(targets.shape), f"the shape {shape} is not (N, 1) for N rows."
    )
    require(not value.requires_grad, "the prediction still belongs to a graph.")
    require(bool(value.isfinite().all()), "some predictions are not finite.")
    single = call(answer, inputs[:1].clone())
    if not torch.allclose(single, value[:1], atol=1e-2):
        raise WrongAnswer(
            "a car alone gets another prediction than among others; are the rows "
            "standardised by themselves?"
        )
    error = (value - targets).abs().mean().item()
    require(
        error < WANTED,
        f"the mean error is {error:.2f} miles per gallon; below {WANTED}?",
    )
