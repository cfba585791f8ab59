"""Whole builds of a tiny book: what a maintainer sees."""

import json
import shutil

import nbformat
from bs4 import BeautifulSoup
from tinybook import cell

from bookbuild.sphinx.policy import policy_of

GOOD = """\
```{code-cell}
print(6 * 7)
```

Half of it is {glue:text}`half:.1f`, says {cite:t}`wilson1927probable`.

```{code-cell}
from tenphases import glue

glue("half", 21.04)
```

```{code-cell}
---
mystnb:
  image:
    alt: A line that rises.
  figure:
    caption: A rising line.
    name: fig-line
---
import matplotlib.pyplot as plt

from tenphases import viz

viz.use_style()
plt.plot([1, 2]);
```

See {numref}`fig-line`.
"""
BIBLIOGRAPHY = "# Bibliography\n\n```{bibliography}\n```\n"


def good_book(book) -> None:
    book.chapter("good", GOOD)
    book.write("book/bibliography.md", BIBLIOGRAPHY)
    book.chapters.append("bibliography")


def test_a_good_book_is_built_once_and_then_shown_from_the_store(tiny_book):
    good_book(tiny_book)
    status, output = tiny_book.build()
    assert status == 0, output
    assert "2 of 2 pages ran" in output
    page = BeautifulSoup(tiny_book.html("book/good"), "html.parser")
    policy = page.find("meta", {"http-equiv": "content-security-policy"})["content"]
    assert policy == policy_of(tiny_book.html("book/good"))  # of all its scripts
    text = page.get_text()
    assert "42" in text
    assert "Half of it is 21.0" in text
    assert "Fig. 1" in text
    assert page.select_one(".page-bar").get_text().startswith("Ran in")
    assert [i["class"] for i in page.select("figure img")] == [
        ["only-light"],
        ["only-dark"],
    ]
    assert "drawn" in tiny_book.html("examples/one/plot_line")
    downloads = tiny_book.root / "_build" / "html" / "downloads"
    notebook = nbformat.read(downloads / "book" / "good.ipynb", as_version=4)
    nbformat.validate(notebook)
    prose = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    assert "Half of it is 21.0, says Wilson (1927)." in prose
    assert "{" not in prose
    assert (downloads / "examples" / "one" / "plot_line.py").exists()
    assert list(downloads.glob("tenphases-*.whl"))

    status, output = tiny_book.build()
    assert status == 0
    assert "0 of 2 pages ran" in output
    assert "rendering: nothing has changed" in output

    tiny_book.chapter("good", GOOD.replace("says", "wrote"))
    status, output = tiny_book.build()
    assert status == 0, output
    assert "0 of 2 pages ran" in output, "prose is in no key"
    assert "wrote" in tiny_book.html("book/good")

    tiny_book.chapter("good", GOOD.replace("6 * 7", "6 * 8"))
    status, output = tiny_book.build()
    assert status == 0, output
    assert "1 of 2 pages ran" in output
    assert "48" in tiny_book.html("book/good")


def test_a_cell_that_fails_fails_this_build_and_the_next(tiny_book):
    good_book(tiny_book)
    tiny_book.chapter("raises", cell("x = 1\nraise ValueError('on purpose')"))
    tiny_book.chapter("nan", cell("import math\n\nprint('loss', math.nan)"))
    tiny_book.chapter("warns", cell("import warnings\n\nwarnings.warn('careful')"))
    tiny_book.chapter("tame", cell("1 / 1", ":tags: [raises-exception]\n"))
    tiny_book.script("plot_exits", "import os\n\nos._exit(3)\n")
    for _ in range(2):
        status, output = tiny_book.build()
        assert status == 1
        assert "book/raises.md:9: this cell failed" in output
        assert "ValueError: on purpose" in output
        assert "a number that is none" in output
        assert "which nothing discusses" in output
        assert "ended the kernel with exit status 3" in output
        assert "raises-exception, but raised none" in output
        assert "5 pages FAILED" in output
        assert "42" in tiny_book.html("book/good"), "the others are built"
        assert "no outputs" in tiny_book.html("book/raises")


def test_announced_failures_are_allowed(tiny_book):
    def tagged(tag):
        return f":tags: [{tag}]\n"

    tiny_book.chapter(
        "announced",
        cell("1 / 0", tagged("raises-exception"))
        + cell("print(float('nan'))", tagged("expect-nan"))
        + cell("import warnings\n\nwarnings.warn('w')", tagged("expect-warning")),
    )
    status, output = tiny_book.build()
    assert status == 0, output
    assert "ZeroDivisionError" in tiny_book.html("book/announced")


def test_what_sphinx_finds_fails_this_build_and_the_next(tiny_book):
    body = (
        "[](nowhere.md) and {ref}`no-label` and {cite:t}`nobody2020nothing`.\n\n"
        "![a picture](missing.png)\n"
    )
    tiny_book.write("book/broken.md", f"# Broken\n\n{body}")
    tiny_book.write("book/bibliography.md", BIBLIOGRAPHY)
    tiny_book.chapters += ["broken", "bibliography"]
    for _ in range(2):
        status, output = tiny_book.build()
        assert status == 1
        for problem in ("nowhere", "no-label", "nobody2020nothing", "missing.png"):
            assert problem in output


def test_a_page_missing_from_the_table_of_contents_is_an_error(tiny_book):
    tiny_book.chapter("forgotten", cell("print(1)"), listed=False)
    status, output = tiny_book.build()
    assert status == 2
    assert "book/forgotten.md is not in _toc.yml" in output


def test_an_entry_of_the_table_of_contents_without_a_file_is_an_error(tiny_book):
    tiny_book.chapters.append("absent")
    status, output = tiny_book.build()
    assert status == 2
    assert "_toc.yml lists book/absent, but there is no book/absent.md" in output


def test_a_broken_configuration_is_an_error(tiny_book):
    tiny_book.write("_config.yml", "title: [")
    status, output = tiny_book.build()
    assert status == 2
    assert "config" in output


def test_ctrl_c_keeps_what_had_finished(tiny_book):
    tiny_book.chapter("quick", cell("print('quick')"))
    tiny_book.chapter("slow", cell("import time\n\ntime.sleep(300)"))
    status, output = tiny_book.interrupt_after("ran    quick", "--jobs", "3")
    assert status == 130, output
    assert "finished are kept" in output
    tiny_book.chapter("slow", cell("print('no longer slow')"))
    status, output = tiny_book.build("--execute-only")
    assert status == 0
    assert "ran    slow" in output
    assert "ran    quick" not in output


def test_every_page_shows_the_sidebar_as_it_is_now(tiny_book):
    for name in ("one", "two", "three"):
        tiny_book.chapter(name, "Prose.\n")
    assert tiny_book.build()[0] == 0
    tiny_book.write("book/two.md", "# Another title\n\nProse.\n")
    (tiny_book.root / "book" / "three.md").unlink()
    tiny_book.chapters.remove("three")
    status, output = tiny_book.build()
    assert status == 0, output
    for name in ("index", "book/one", "examples/one/plot_line", "genindex"):
        page = tiny_book.html(name)
        assert "Another title" in page and "Page three" not in page, name
    assert not (tiny_book.root / "_build" / "html" / "book" / "three.html").exists()


def test_a_page_with_a_new_figure_is_read_once(tiny_book):
    line = "from tenphases import viz\n\nviz.use_style()\nplt.plot([1, {}])\n"
    draw = f"import matplotlib.pyplot as plt\n{line}"
    tiny_book.chapter("beside", "Prose.\n")
    tiny_book.script("plot_line", draw.format(2))
    assert tiny_book.build()[0] == 0
    tiny_book.script("plot_line", draw.format(3))
    status, output = tiny_book.build()
    assert status == 0, output
    assert "-dark.svg" in tiny_book.html("examples/one/plot_line")
    known = tiny_book.root / "_build" / ".doctrees" / "examples" / "one"
    before = [path.stat().st_mtime_ns for path in sorted(known.iterdir())]
    tiny_book.chapter("beside", "Other prose.\n")
    assert tiny_book.build()[0] == 0
    assert [path.stat().st_mtime_ns for path in sorted(known.iterdir())] == before


def test_the_gallery_is_written_when_it_changed_or_is_gone(tiny_book):
    tiny_book.chapter("beside", "Prose.\n")
    assert tiny_book.build()[0] == 0
    listed = tiny_book.root / "examples" / "one" / "index.rst"
    before = listed.stat().st_mtime_ns
    tiny_book.chapter("beside", "Other prose.\n")
    assert tiny_book.build()[0] == 0
    assert listed.stat().st_mtime_ns == before

    header = "One\n---\n\nThe first of all.\n"
    tiny_book.write("gallery/one/GALLERY_HEADER.rst", header)
    tiny_book.script("plot_line", "print('drawn')\n\n# %%\n# And said.\n")
    status, output = tiny_book.build()
    assert status == 0, output
    assert "The first of all." in tiny_book.html("examples/one/index")
    assert "And said." in tiny_book.html("examples/one/plot_line")

    shutil.rmtree(tiny_book.root / "examples")
    tiny_book.chapter("beside", "Prose.\n")
    status, output = tiny_book.build()
    assert status == 0, output
    assert "drawn" in tiny_book.html("examples/one/plot_line")


def test_one_page_alone(tiny_book):
    tiny_book.chapter("wanted", cell("print('here')"))
    tiny_book.chapter("other", cell("print('there')") + "\nIt is {glue:text}`x`.\n")
    status, output = tiny_book.build("--page", "wanted")
    assert status == 0, output
    assert "here" in tiny_book.html("book/wanted")
    assert "no outputs" in tiny_book.html("book/other")
    status, output = tiny_book.build("--page", "unknown")
    assert status == 2
    assert "there is no page called unknown" in output


def test_a_script_gets_the_files_of_the_one_it_requires(tiny_book):
    write = "from tenphases import artifact\n\nartifact('n.txt').write_text('{}')\n"
    tiny_book.script("plot_first", write.format("one"))
    tiny_book.script(
        "plot_second",
        "from tenphases import artifact\n\nprint(artifact('n.txt').read_text())\n",
        first_line="# requires: plot_first\n",
    )
    status, output = tiny_book.build("--execute-only")
    assert status == 0, output
    results = tiny_book.root / "_build" / "results" / "examples" / "one"
    second = results / "plot_second.json"
    assert json.loads(second.read_text())["outputs"][0][0]["text"] == "one\n"
    tiny_book.script("plot_first", write.format("two"))
    status, output = tiny_book.build("--execute-only")
    assert json.loads(second.read_text())["outputs"][0][0]["text"] == "two\n"
