"""No page is ever stale: each module of ``tenphases`` is edited in turn.

What a page must run again for is not asked of the engine: each page prints which
modules of the package Python had really loaded when it ended, and what they say.
"""

import ast
from pathlib import Path

from tinybook import TinyBook, cell, ran

# each ends by printing the loaded modules that bear a mark, and the mark
MARKS = """
import sys

for name in sorted(sys.modules):
    module = sys.modules[name]
    # the package's name in full would count as an import
    if name.startswith("ten" + "phases") and hasattr(module, "MARK"):
        print(name, module.MARK)
"""
PAGES = {
    "nothing": "import math",
    "seed": "from tenphases import set_seed",
    "figures": "from tenphases import viz",
    "tables": "from tenphases import data\ndata.penguins(seed=0)",
    "digits": "import tenphases.data as d\nd.mnist()",
    "network": "from tenphases.models.mlp import mlp",
    "convolution": "from tenphases.models import convnets",
    "trained": "from tenphases.training import fit",
    "timed": "from tenphases import benchmarks, glue",
    "checked": (
        "from tenphases.checks import check\n"
        "try:\n    check('p1.e1', {})\nexcept AssertionError:\n    pass"
    ),
}


def mark(path: Path, number: int) -> None:
    """Change what a module says of itself; its docstring stays first."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    lines = [line for line in lines if not line.startswith("MARK = ")]
    path.write_text("".join(lines) + f"MARK = {number}\n", encoding="utf-8")
    ast.parse(path.read_text(encoding="utf-8"))


def marks(book: TinyBook, page: str) -> dict[str, str]:
    return dict(line.split() for line in book.outputs(f"book/{page}").splitlines())


def test_no_page_is_stale_after_an_edit_of_any_module(tiny_book):
    package = tiny_book.copy_package()
    files = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(
            ".__init__"
        ): path
        for path in sorted(package.rglob("*.py"))
    }
    for number, path in enumerate(files.values()):
        mark(path, number)
    (tiny_book.root / "gallery" / "one" / "plot_line.py").unlink()
    for name, code in PAGES.items():
        # what the kernel's own last cell loads is not the page's
        tiny_book.chapter(name, cell(f"{code}\n{MARKS}"))
    status, output = tiny_book.build("--execute-only")
    assert status == 0, output
    loaded = {page: set(marks(tiny_book, page)) for page in PAGES}
    assert loaded["nothing"] == set()
    assert "tenphases.models.convnets" not in loaded["network"]

    for number, (module, path) in enumerate(files.items(), start=1000):
        mark(path, number)
        status, output = tiny_book.build("--execute-only")
        assert status == 0, output
        must = {page for page in PAGES if module in loaded[page]}
        assert must <= ran(output), f"{module}: {must - ran(output)} would be stale"
        # no page may run for nothing; only a check, which looks its module up by a
        # computed name, depends on more than it loaded
        assert ran(output) - must <= {"checked"}, module
        for page in must:
            assert marks(tiny_book, page)[module] == str(number)
