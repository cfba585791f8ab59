"""Checks of the exercises: ``check("p1.e2", answer)``.

A check says ``right``, or raises :class:`WrongAnswer` with one sentence about
what is wrong (type, shape, dtype, the value at some input), never the answer.
Phase ``p1`` has its checks in ``phase01.py``, exercise ``e2`` in the function
``e2``.
"""

from importlib import import_module

import torch
from torch import Tensor


class WrongAnswer(AssertionError):
    """The answer is not right yet; the message says in what respect."""

    def _render_traceback_(self) -> list[str]:
        # IPython shows this in place of a page of frames that are none of the
        # reader's code
        return [f"Not yet: {self}"]


def check(exercise: str, answer: object) -> None:
    """Check the answer to an exercise such as ``"p1.e2"`` and print the verdict.

    Raises WrongAnswer if it is not right and KeyError if there is no such
    exercise.
    """
    try:
        phase, number = exercise.removeprefix("p").split(".")
        module = import_module(f"tenphases.checks.phase{int(phase):02d}")
        checker = getattr(module, number)
    except (ValueError, ModuleNotFoundError, AttributeError):
        raise KeyError(f"there is no exercise {exercise!r} to check.") from None
    checker(answer)
    print(f"{exercise}: right")


def require(condition: bool, message: str) -> None:
    """Raise WrongAnswer with the message unless the condition holds."""
    if not condition:
        raise WrongAnswer(message)


def call(function: object, *args: object) -> object:
    """Call the answer; an exception in it becomes a WrongAnswer."""
    require(callable(function), f"a function is wanted, not {type(function).__name__}.")
    try:
        return function(*args)
    except Exception as error:
        raise WrongAnswer(
            f"your function raised {type(error).__name__}: {error}"
        ) from error


def require_tensor(
    value: object, expected: Tensor, what: str, *, atol: float = 1e-5
) -> None:
    """Compare a tensor with the expected one: type, shape, dtype, then values."""
    kind = type(value).__name__
    require(isinstance(value, Tensor), f"{what} should be a tensor, not {kind}.")
    require(
        value.shape == expected.shape,
        f"{what} should have shape {tuple(expected.shape)}, not {tuple(value.shape)}.",
    )
    require(
        value.dtype == expected.dtype,
        f"{what} should have dtype {expected.dtype}, not {value.dtype}.",
    )
    wrong = ~torch.isclose(value, expected, atol=atol)
    if wrong.any():
        index = tuple(torch.nonzero(wrong)[0].tolist())
        raise WrongAnswer(f"{what} has a wrong value at index {index}.")
