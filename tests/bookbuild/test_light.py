"""Pages load little: formulas are set by the build, and assets come where needed."""

from pathlib import Path

from bookbuild.sphinx.mathematics import Typesetter
from bookbuild.sphinx.weight import is_needed


def test_a_formula_is_set_once_and_a_fault_is_named(tmp_path: Path):
    typesetter = Typesetter(tmp_path)
    good = typesetter.set(r"\frac{1}{2}", display=True)["html"]
    assert "<mjx-container" in good and "<mfrac>" in good
    assert typesetter.set(r"\frac{1", display=False) == {"fault": "Missing close brace"}
    (process,) = typesetter.processes.values()
    process.stdin.close()
    process.stdout.close()
    process.wait(timeout=60)
    assert typesetter.set(r"\frac{1}{2}", display=True) == {"html": good}


def test_a_page_gets_the_assets_that_it_uses():
    page = '<p>text</p><div class="highlight-python"></div>'
    assert is_needed("copybutton.js", page)
    assert is_needed("book.css", page)
    assert not is_needed("mathjax/mathjax.css", page)
    assert is_needed("mathjax/mathjax.css", '<span class="math notranslate">')
    assert not is_needed("sphinx-thebe.js", page + "thebe")
