"""What builds remember: the same answers, asked of the function only once."""

import pytest

from bookbuild import memory
from bookbuild.imports import reach
from bookbuild.pages import parse_chapter

CHAPTER = """\
---
file_format: mystnb
kernelspec: {name: python3}
requires: [other]
---
# A page

```{code-cell}
:tags: [hide-input]
import torch
```
"""


@pytest.fixture
def fresh(monkeypatch):
    """Begin as a process does; call it again to begin another."""

    def begin():
        monkeypatch.setattr(memory, "_known", {})
        monkeypatch.setattr(memory, "_asked", {})
        monkeypatch.setattr(memory, "_answers", {})
        monkeypatch.setattr(memory, "_modules", {})

    begin()
    return begin


def counted(calls: list) -> object:
    def double(text: str) -> str:
        calls.append(text)
        return text * 2

    double.__module__ = __name__
    return memory.remembered(double)


def test_a_function_is_asked_once_and_over_builds(fresh, tmp_path):
    calls = []
    double = counted(calls)
    assert [double("a"), double("a"), double("b")] == ["aa", "aa", "bb"]
    memory.save(tmp_path / "memory")
    fresh()
    memory.load(tmp_path / "memory")
    assert double("a") == "aa"
    assert calls == ["a", "b"]


def test_what_was_not_asked_for_is_forgotten(fresh, tmp_path):
    calls = []
    double = counted(calls)
    double("a"), double("b")
    for _ in range(2):
        memory.save(tmp_path / "memory")
        fresh()
        memory.load(tmp_path / "memory")
        double("b")
    double("a")
    assert calls == ["a", "b", "a"]


def test_other_code_or_other_parsers_are_asked_anew(fresh, monkeypatch):
    calls = []
    double = counted(calls)
    double("a")
    monkeypatch.setattr(memory, "_answers", {})
    monkeypatch.setattr(memory, "_modules", {})
    monkeypatch.setattr(memory, "version", lambda package: "another")
    double("a")
    assert calls == ["a", "a"]


def test_a_damaged_memory_counts_as_none(fresh, tmp_path):
    path = tmp_path / "memory"
    counted([])("a")
    memory.save(path)
    path.write_bytes(path.read_bytes()[:-2])
    fresh()
    memory.load(path)
    assert memory._known == {}


def test_pages_and_imports_are_the_same_from_memory(fresh, tmp_path):
    package = tmp_path / "pack"
    (package / "sub").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "sub" / "__init__.py").write_text("from . import one\n")
    (package / "sub" / "one.py").write_text("from ..two import x\n")
    (package / "two.py").write_text("import numpy\nx = 1\n")

    def read():
        return parse_chapter(CHAPTER, "page.md"), reach(["import pack.sub"], package)

    chapter, reached = read()
    assert [list(cell) for cell in chapter["cells"]] == [
        ["import torch", 10, ["hide-input"]]
    ]
    assert chapter["requires"] == ["other"]
    assert {f.name for f in reached.files} == {"__init__.py", "one.py", "two.py"}
    memory.save(tmp_path / "memory")
    fresh()
    memory.load(tmp_path / "memory")
    again, reached_again = read()
    assert reached_again == reached
    assert again["requires"] == chapter["requires"]
    assert [tuple(cell) for cell in again["cells"]] == [
        tuple(cell) for cell in chapter["cells"]
    ]
