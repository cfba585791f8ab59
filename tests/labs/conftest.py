"""Labs as a class hands them in: notebooks with some gaps filled."""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from bookbuild.pages import read_chapter

ROOT = Path(__file__).parents[2]


class Lab:
    """The cells of a lab, and how its gaps can be filled."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.cells = read_chapter(ROOT / f"book/labs/lab_{number}.md", ROOT).cells
        text = (Path(__file__).parent / f"lab_{number}.py").read_text()
        blocks = re.split(r"^# %% (t\d+)\n", text, flags=re.M)[1:]
        self.solution = dict(zip(blocks[::2], blocks[1::2], strict=True))

    @property
    def tasks(self) -> list[str]:
        return [
            t.removeprefix("task-")
            for cell in self.cells
            for t in cell.tags
            if t.startswith("task-")
        ]

    def sources(self, filled: dict[str, str]) -> list[str]:
        """The code cells, with some tasks' cells replaced."""
        sources = []
        for cell in self.cells:
            task = next((t for t in filled if f"task-{t}" in cell.tags), None)
            sources.append(filled[task] if task else cell.source)
        return sources

    def names(self, filled: dict[str, str]) -> dict:
        """What the notebook has defined when all of it has run."""
        names: dict = {}
        for source in self.sources(filled):
            exec(source, names)
        return names

    def hand_in(self, folder: Path, filled: dict[str, str], *extra: str) -> Path:
        folder.mkdir(parents=True)
        sources = [*self.sources(filled), *extra]
        notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
        path = folder / f"lab_{self.number}.ipynb"
        nbformat.write(notebook, path)
        return path


@pytest.fixture(params=[1, 2])
def lab(request) -> Lab:
    return Lab(request.param)


@pytest.fixture
def lab1() -> Lab:
    return Lab(1)
