"""What the pages are told that there is to be ticked off."""

from types import SimpleNamespace

from bookbuild.sphinx import results
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
