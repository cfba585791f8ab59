"""Grades of the labs: ``grade("lab1.t2", answer)``.

A lab ``lab1`` has its checks in ``lab1.py``: a function for each task, as the
exercises have, and ``TASKS``, which says under what name a notebook should define
the answer and how many points it is worth. A task earns all of its points or none.
"""

from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from io import StringIO

from tenphases.checks import WrongAnswer, check


@dataclass(frozen=True)
class Grade:
    """Points for one task, out of how many, and what is wrong, if something is."""

    task: str
    points: int
    possible: int
    message: str = ""

    def __str__(self) -> str:
        said = f"{self.task}: {self.points} of {self.possible} points"
        return f"{said}. Not yet: {self.message}" if self.message else said

    __repr__ = __str__  # what a notebook shows


def tasks_of(lab: str) -> dict[str, tuple[str, int]]:
    """Return a lab's tasks: to each the name that it defines, and its points.

    Raises KeyError if there is no such lab.
    """
    try:
        return import_module(f"tenphases.checks.{lab}").TASKS
    except (ModuleNotFoundError, AttributeError):
        raise KeyError(f"there is no lab {lab!r} to grade.") from None


def grade(task: str, answer: object) -> Grade:
    """Grade the answer to a task such as ``"lab1.t2"``.

    Raises KeyError if there is no such task.
    """
    lab, _, name = task.partition(".")
    try:
        _, possible = tasks_of(lab)[name]
    except KeyError:
        raise KeyError(f"there is no task {task!r} to grade.") from None
    try:
        with redirect_stdout(StringIO()):  # also of what the answer prints
            check(task, answer)
    except WrongAnswer as error:
        return Grade(task, 0, possible, str(error))
    return Grade(task, possible, possible)


def grade_all(lab: str, names: Mapping[str, object]) -> list[Grade]:
    """Grade every task of a lab with what a notebook has defined, by name."""
    grades = []
    for task, (name, possible) in tasks_of(lab).items():
        full = f"{lab}.{task}"
        if name in names:
            grades.append(grade(full, names[name]))
        else:
            missing = f"the notebook does not define `{name}`."
            grades.append(Grade(full, 0, possible, missing))
    return grades


def summary(grades: list[Grade]) -> str:
    """Return the grades as lines of text, with their sum."""
    total = sum(g.points for g in grades)
    possible = sum(g.possible for g in grades)
    return "\n".join([*map(str, grades), f"total: {total} of {possible} points"])
