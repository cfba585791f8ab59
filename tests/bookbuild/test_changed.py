"""Builds of what a pull request touches, and why a page runs."""

import re

from tinybook import cell, ran


def book_with_history(book) -> None:
    package = book.copy_package()
    book.write("constraints.txt", "torch==2.11.0\nmlxtend==0.23.0\n")
    book.chapter("plain", cell("print('plain')"))
    book.chapter("drawn", cell("from tenphases import viz\nprint('drawn')"))
    book.chapter("loaded", cell("import mlxtend\nprint('loaded')"))
    book.commit()
    assert package.exists()


def test_only_what_differs_from_the_base_runs(tiny_book):
    book_with_history(tiny_book)
    with (tiny_book.root / "src" / "tenphases" / "viz.py").open("a") as file:
        file.write("# edited\n")
    status, output = tiny_book.build("--changed", "HEAD")
    assert status == 0, output
    assert "1 pages differ from HEAD" in output
    assert ran(output) == {"drawn"}
    assert "drawn\n" in tiny_book.html("book/drawn")
    assert "no outputs" in tiny_book.html("book/plain"), "the store has none of it"

    assert tiny_book.build("--execute-only")[0] == 0
    tiny_book.chapter("plain", cell("print('plainer')"))
    status, output = tiny_book.build("--changed", "HEAD")
    assert status == 0, output
    assert ran(output) == {"plain"}
    assert "plainer" in tiny_book.html("book/plain")
    assert "loaded\n" in tiny_book.html("book/loaded"), "the store has it by now"


def test_prose_touches_nothing_and_a_new_page_touches_itself(tiny_book):
    book_with_history(tiny_book)
    tiny_book.chapter("plain", "Other prose.\n\n" + cell("print('plain')"))
    tiny_book.chapter("new", cell("print('new')"))
    _, output = tiny_book.build("--changed", "HEAD", "--execute-only")
    assert ran(output) == {"new"}


def test_another_pinned_version_touches_the_pages_that_import_it(tiny_book):
    book_with_history(tiny_book)
    tiny_book.write("constraints.txt", "torch==2.11.0\nmlxtend==0.24.0\n")
    _, output = tiny_book.build("--changed", "HEAD", "--execute-only")
    assert ran(output) == {"loaded"}


def test_an_unknown_base_is_one_sentence(tiny_book):
    book_with_history(tiny_book)
    status, output = tiny_book.build("--changed", "no-such-branch")
    assert status == 2
    assert "name a commit or branch that this clone has" in output
    assert "Traceback" not in output


def test_why_a_page_runs_or_does_not(tiny_book):
    package = tiny_book.copy_package()
    tiny_book.chapter("drawn", cell("from tenphases import viz") + cell("print(1)"))

    def why() -> str:
        status, output = tiny_book.build("--why", "drawn")
        assert status == 0, output
        return output

    assert "drawn will run: it has no stored run to compare with." in why()
    _, output = tiny_book.build("--execute-only")
    assert re.search(r"ran +drawn .* it has no stored run to compare with", output)
    assert "drawn need not run: nothing that it depends on has changed" in why()
    with (package / "viz.py").open("a") as file:
        file.write("# edited\n")
    assert "drawn will run: src/tenphases/viz.py changed." in why()
    tiny_book.chapter("drawn", cell("from tenphases import viz") + cell("print(2)"))
    assert "will run: code cell 2 changed; src/tenphases/viz.py changed." in why()
    tiny_book.build("--execute-only")
    said = why()
    assert "drawn need not run" in said
    assert "because: code cell 2 changed; src/tenphases/viz.py changed." in said
    for path in (tiny_book.root / "_build" / "store").glob("??/*.json"):
        path.unlink()
    assert "its result is damaged or was deleted" in why()
    status, output = tiny_book.build("--why", "no_such_page")
    assert status == 2
    assert "there is no page called no_such_page" in output
