"""The exercises of a phase, as its page has them: starters, solutions, checks."""

import importlib
import re
from functools import cached_property
from pathlib import Path

import matplotlib as mpl
import pytest
import torch

from bookbuild.pages import read_chapter
from tenphases.checks import WrongAnswer, check

mpl.use("agg")
ROOT = Path(__file__).parents[1]
PHASES = sorted(
    int(path.stem.removeprefix("phase"))
    for path in (ROOT / "src" / "tenphases" / "checks").glob("phase*.py")
)


class Exercises:
    """What stands on the page of a phase's exercises, ready to be run."""

    def __init__(self, phase: int) -> None:
        self.phase = phase
        [self.path] = ROOT.glob(f"book/{phase:02}-*/exercises.md")
        self.checks = importlib.import_module(f"tenphases.checks.phase{phase:02}")
        names = [name for name in vars(self.checks) if re.fullmatch(r"e\d+", name)]
        self.names = [f"p{phase}.{name}" for name in names]

    @cached_property
    def cells(self):
        return read_chapter(self.path, ROOT).cells

    def checker(self, exercise: str):
        return getattr(self.checks, exercise.partition(".")[2])

    def tagged(self, tag: str) -> str:
        """All cells of the page with the tag, in order."""
        return "\n\n".join(cell.source for cell in self.cells if tag in cell.tags)

    def run(self, *tags: str) -> dict:
        """Run the page's imports, then the cells with each tag; return the names."""
        names: dict = {}
        threads = torch.get_num_threads()
        try:
            for source in (self.cells[0].source, *map(self.tagged, tags)):
                exec(source, names)
        finally:
            torch.set_num_threads(threads)  # a page may set it to one
        return names

    def solution(self, exercise: str) -> dict:
        return self.run(f"starter-{exercise}", f"solution-{exercise}")

    def starter(self, exercise: str) -> object:
        """What the untouched starter would hand to the check."""
        source = self.tagged(f"starter-{exercise}")
        calls = re.findall(r"^# check\(\"(p\d+\.e\d+)\", (\w+)\)$", source, re.M)
        [(named, variable)] = calls
        assert named == exercise
        return self.run(f"starter-{exercise}")[variable]


def wrong(exercise: str, answer: object, hint: str) -> None:
    """Require that the check refuses an answer with a message that has the hint."""
    with pytest.raises(WrongAnswer, match=hint):
        check(exercise, answer)
