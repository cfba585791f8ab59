"""Chapters: the prose as it is now, with the outputs of the stored run."""

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from sphinx.application import Sphinx

from bookbuild.pages import read_notebook
from bookbuild.sphinx import results

NO_OUTPUTS = """\
:::{danger}
This page has no outputs: it failed in this build, or was not part of it.
:::"""
# what points at outputs, and what stands in for it where there are none
POINTERS = re.compile(r"\{glue:text\}`[^`]*`|\{numref\}`[^`]*`")

# MyST-NB hands a reader the text alone; this is the document being read. Sphinx
# reads in parallel by forking, so each process has its own.
_current: tuple[Path, str] = (Path(), "")


def _remember(app: Sphinx, docname: str, source: list[str]) -> None:
    global _current
    _current = Path(app.srcdir), docname
    result = results.path_of(*_current)
    if result.exists():
        app.env.note_dependency(str(result))


def read(text: str) -> NotebookNode:
    """Read a chapter as a notebook with outputs (a MyST-NB custom format)."""
    notebook = read_notebook(text)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if not code:
        return notebook
    notebook.metadata.language_info = {"name": "python", "pygments_lexer": "python"}
    result = results.load(*_current)
    # outputs are shown only beside the code that made them, even if the file was
    # saved again while the build ran
    if result is None or result["sources"] != [cell.source for cell in code]:
        results.report_missing(_current[1])
        return without_outputs(notebook)
    for cell, outputs in zip(code, result["outputs"], strict=True):
        cell.outputs = nbformat.from_dict(outputs)
    return notebook


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Say at the top that outputs are missing, and drop what refers to them."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = POINTERS.sub("…", cell.source)
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(NO_OUTPUTS))
    notebook.metadata.source_map.insert(1, 0)
    return notebook


def setup(app: Sphinx) -> None:
    app.connect("source-read", _remember)
