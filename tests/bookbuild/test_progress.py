"""What the pages are told that there is to be ticked off."""

from types import SimpleNamespace

import pytest

from bookbuild.sphinx import results
from bookbuild.sphinx.parts import words
from bookbuild.sphinx.progress import contents

INDEX = "book/01-first/index"
PAGES = {"book/01-first/a", "book/01-first/b", "examples/01_first/plot_c"}


def test_a_phase_lists_its_executed_pages_and_their_exercises(tmp_path):
    for name in PAGES - {"book/01-first/b"}:  # which failed, or runs nothing
        path = results.path_of(tmp_path, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    registry = {
        "ex-1": {"docname": "book/01-first/a", "type": "exercise-start"},
        "ex-2": {"docname": "book/01-first/a", "type": "exercise"},
        "solution-1": {"docname": "book/01-first/a", "type": "solution-start"},
    }
    env = SimpleNamespace(
        found_docs={"index", INDEX, "book/appendix/notation", *PAGES},
        sphinx_exercise_registry=registry,
    )
    found = contents(SimpleNamespace(srcdir=tmp_path), env)
    assert found == {INDEX: {"book/01-first/a": 2, "examples/01_first/plot_c": 0}}


@pytest.mark.parametrize(
    ("pages", "said"),
    [
        (
            {"book/01-a/one": 2, "book/01-a/exercises": 6, "examples/01_a/plot": 0},
            "1 chapter, 8 exercises, 1 example",
        ),
        (
            {"examples/06_b/plot_a": 0, "examples/06_b/plot_b": 0},
            "Chapters outlined, 2 examples",
        ),
        ({"book/02-c/one": 0, "book/02-c/two": 0}, "2 chapters"),
    ],
)
def test_a_card_says_what_there_is(pages, said):
    assert words(pages) == said
