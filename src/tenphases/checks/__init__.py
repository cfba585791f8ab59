"""Checks of the exercises: ``check("p1.e2", answer)``.

A check says ``right``, or raises :class:`WrongAnswer` with one sentence about
what is wrong (type, shape, dtype, the value at some input), never the answer.
Phase ``p1`` has its checks in ``phase01.py``, exercise ``e2`` in the function
``e2``; task ``lab1.t3`` of a lab has its own in ``lab1.py``. A check makes its own
inputs afresh for each call, so an answer that changes them in place spoils nothing.
"""

import math
import re
import traceback
from collections.abc import Callable, Collection, Mapping
from importlib import import_module

import numpy as np
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
    name = re.fullmatch(r"(p\d+\.e\d+)|(lab\d+\.t\d+)", str(exercise))
    try:
        group, _, function = name[0].partition(".")
        file = group if name[2] else f"phase{int(group[1:]):02d}"
        checker = getattr(import_module(f"tenphases.checks.{file}"), function)
    except (TypeError, ModuleNotFoundError, AttributeError):
        raise KeyError(f"there is no exercise {exercise!r} to check.") from None
    with torch.random.fork_rng(devices=[]):  # a check must not move the seed on
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
        first_line = str(error).partition("\n")[0]
        raise WrongAnswer(
            f"your function raised {type(error).__name__}{_where(error)}: {first_line}"
        ) from error


def returned(function: object, *args: object) -> object:
    """Call the answer as :func:`call` does; it must return something."""
    value = call(function, *args)
    require(value is not None, "your function returns None; is a return missing?")
    return value


def _where(error: Exception) -> str:
    """Quote the line of the reader's function, which no traceback will show."""
    frames = traceback.extract_tb(error.__traceback__, limit=2)[1:]
    return f" at `{frames[0].line}`" if frames and frames[0].line else ""


def require_keys(answer: object, wanted: Collection[str]) -> None:
    """The answer must be a dict with exactly these keys, none left at ``...``."""
    kind = type(answer).__name__
    require(isinstance(answer, Mapping), f"a dict is wanted, not {kind}.")
    for key in wanted:
        require(key in answer, f"the dict should have a key {key!r}.")
        require(answer[key] is not ..., f"there is no answer yet to {key!r}.")
    for key in answer:
        require(key in wanted, f"the dict should have no key {key!r}.")


def require_values(
    answer: object, hints: Mapping[str, str], value_of: Callable[[str], object]
) -> None:
    """The answer must be a dict with the value of each key of ``hints``.

    The message counts those that are right and gives the hint of the first that is
    not. Floats may be off by a thousandth; ``True`` is not 1 here.
    """
    require_keys(answer, hints)
    true = {text: value_of(text) for text in hints}
    right = sum(_same(answer[text], true[text]) for text in hints)
    for text, hint in hints.items():
        where = f"({right} of {len(hints)} are right) {text}"
        fits = _same(answer[text], true[text])
        require(fits, f"{where} is not {answer[text]!r}; {hint}")


def _same(given: object, true: object) -> bool:
    if isinstance(true, float):
        number = isinstance(given, int | float) and not isinstance(given, bool)
        return number and math.isclose(given, true, abs_tol=1e-3)
    return isinstance(given, bool) == isinstance(true, bool) and given == true


def require_causes(
    answer: object, causes: Mapping[str, str], signs: Mapping[str, str]
) -> None:
    """The answer must be a dict from each letter to its cause.

    ``signs`` has, for every cause, how it would show.
    """
    require_keys(answer, causes)
    for letter, given in answer.items():
        known = given in signs
        require(known, f"{letter}: {given!r} is none of these; copy a cause.")
    right = sum(answer[letter] == cause for letter, cause in causes.items())
    for letter, cause in causes.items():
        require(
            answer[letter] == cause,
            f"({right} of {len(causes)} are right) {letter} is something else; "
            f"{answer[letter]!r} would show as {signs[answer[letter]]}",
        )


def plain(value: object) -> object:
    """Return a tensor, an array or a tuple as a list, anything else as it is."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return list(value) if isinstance(value, tuple) else value


def require_number(value: object, what: str) -> float:
    """Return a number, or a tensor of one element, as a float."""
    if isinstance(value, np.generic) or (
        isinstance(value, Tensor) and value.numel() == 1
    ):
        value = value.item()
    kind = type(value).__name__
    wanted = isinstance(value, int | float) and not isinstance(value, bool)
    require(wanted, f"{what} should be a number, not {kind}.")
    return float(value)


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
    value = value.detach().cpu()
    wrong = ~torch.isclose(value, expected, atol=atol)
    if wrong.any():
        index = tuple(torch.nonzero(wrong)[0].tolist())
        found = value[index].item()
        raise WrongAnswer(f"{what} has a wrong value, {found}, at index {index}.")
