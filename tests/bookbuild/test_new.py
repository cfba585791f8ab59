"""New pages out of the templates."""

import shutil
from pathlib import Path

import pytest

from bookbuild import BuildError
from bookbuild.execute import Job, Runner
from bookbuild.new import create, main
from bookbuild.pages import discover, find, listed_documents

ROOT = Path(__file__).parents[2]


@pytest.fixture
def book(tmp_path):
    """A book with the real one's phases and without its pages."""
    for index in ROOT.glob("book/*/index.md"):
        copy = tmp_path / index.relative_to(ROOT)
        copy.parent.mkdir(parents=True)
        shutil.copy(index, copy)
    (tmp_path / "index.md").write_text("# A book\n")
    entries = ["# the order of the book", "root: index", "parts:", "  - chapters:"]
    for index in sorted(tmp_path.glob("book/[01]*/index.md")):
        entries.append(f"      - file: book/{index.parent.name}/index")
        if index.parent.name.startswith("01"):
            page = index.with_name("exercises.md")
            page.write_text("# Exercises\n")
            name = f"book/{index.parent.name}/exercises"
            entries += ["        sections:", f"          - file: {name}"]
    entries.append("      - file: book/labs/index")
    (tmp_path / "_toc.yml").write_text("\n".join(entries) + "\n")
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "phase", "name", "file"),
    [
        ("chapter", 1, "my-page", "book/01-pytorch-basics/my-page.md"),
        ("chapter", 7, "my-page", "book/07-rnn-sequences/my-page.md"),
        ("script", 4, "my-study", "gallery/04_neural_networks/plot_my_study.py"),
    ],
)
def test_a_new_page_runs(book, kind, phase, name, file):
    path = create(book, kind, phase, name)
    assert path == book / file
    page = find(discover(book), path.stem)
    result = Runner(Job(page)).run()  # asserts and all
    assert any(
        "image/svg+xml" in o.get("data", {}) for c in result["outputs"] for o in c
    )


def test_a_chapter_stands_before_the_exercises(book):
    create(book, "chapter", 1, "one")
    create(book, "chapter", 1, "two")
    names = [n for n in listed_documents(book) if n.startswith("book/01")]
    assert [n.rpartition("/")[2] for n in names] == ["index", "one", "two", "exercises"]
    assert (book / "_toc.yml").read_text().startswith("# the order of the book\n")


def test_names_that_cannot_be_are_refused(book, monkeypatch, capsys):
    create(book, "chapter", 1, "one")
    for kind, phase, name, why in (
        ("chapter", 2, "one", "a page called one already"),
        ("chapter", 1, "Über Page", "no name for a page"),
        ("script", 11, "one", "no phase 11"),
    ):
        with pytest.raises(BuildError, match=why):
            create(book, kind, phase, name)
    monkeypatch.chdir(book)
    assert main(["chapter", "11", "two"]) == 2
    assert capsys.readouterr().err.startswith("error: there is no phase 11")
    assert main(["script", "1", "two"]) == 0
    assert "nox -s page -- plot_two" in capsys.readouterr().out
