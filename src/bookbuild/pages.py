"""The book's executable pages: chapters and gallery scripts, as lists of cells."""

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from bookbuild import BuildError
from bookbuild.memory import remembered

if TYPE_CHECKING:
    from nbformat import NotebookNode

GALLERY = "gallery"
EXERCISES = "exercises"
EXAMPLES = "examples"  # where Sphinx-Gallery writes its pages
MYST_EXTENSIONS = {"colon_fence", "dollarmath"}
# what a script says in a comment, and a chapter in its front matter
REQUIRES = re.compile(r"^# requires: (\w+)$", re.M)
RESOURCES = re.compile(r"^# resources: (.+)$", re.M)


@dataclass(frozen=True)
class Cell:
    """A code cell, with the line of the source file at which its code begins."""

    source: str
    line: int
    tags: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Page:
    """An executable page. ``name`` is its document name in Sphinx.

    ``requires`` are pages that leave files for this one. ``resources`` are what it
    needs for itself alone while it runs: ``GPU`` (a number of devices) and
    ``memory`` (GB).
    """

    name: str
    path: Path
    cells: tuple[Cell, ...]
    requires: tuple[str, ...] = ()
    resources: tuple[tuple[str, float], ...] = ()

    @property
    def stem(self) -> str:
        return self.path.stem

    @property
    def label(self) -> str:
        """What the page is called in messages and commands."""
        folder = f"{self.path.parent.name}/" if self.stem == EXERCISES else ""
        return f"{folder}{self.stem}"


def read_notebook(text: str, path: Path | None = None) -> "NotebookNode":
    """Read a chapter's MyST Markdown as a notebook without outputs."""
    return deepcopy(_read_notebook(text, path))


@lru_cache(maxsize=4)  # a chapter is read for its page, and again for its downloads
def _read_notebook(text: str, path: Path | None) -> "NotebookNode":
    # MyST takes most of a second to import, and a build may not need it
    from myst_nb.core.read import read_myst_markdown_notebook
    from myst_parser.config.main import MdParserConfig

    config = MdParserConfig(enable_extensions=MYST_EXTENSIONS)
    return read_myst_markdown_notebook(text, config, add_source_map=True, path=path)


@remembered
def parse_chapter(text: str, path: str) -> dict | None:
    """Return the cells and front matter of a chapter; None if nothing is executed."""
    from myst_nb.core.read import is_myst_markdown_notebook

    if not is_myst_markdown_notebook(text):
        return None
    notebook = read_notebook(text, Path(path))
    fences = notebook.metadata.source_map
    return {
        "cells": [
            (
                cell.source,
                _first_line(cell.source, text, fences[i]),
                cell.metadata.get("tags", []),
            )
            for i, cell in enumerate(notebook.cells)
            if cell.cell_type == "code"
        ],
        "requires": notebook.metadata.get("requires", []),
        "resources": notebook.metadata.get("resources", ""),
    }


def _first_line(source: str, text: str, fence: int) -> int:
    """Return the line at which a cell's code begins, after the options below its
    fence."""
    lines = text.splitlines()
    first = source.partition("\n")[0]
    found = (i for i in range(fence, len(lines)) if lines[i] == first)
    return next(found, fence) + 1


@remembered
def parse_script(text: str, path: str) -> dict:
    """Return the blocks of a gallery script, and what its comments ask for."""
    from sphinx_gallery.py_source_parser import split_code_and_text_blocks

    _, blocks = split_code_and_text_blocks(path)
    return {
        "cells": [(b.content, b.lineno, []) for b in blocks if b.type == "code"],
        "requires": REQUIRES.findall(text),
        "resources": " ".join(RESOURCES.findall(text)),
    }


def read_chapter(path: Path, root: Path) -> Page | None:
    """Return the page of a chapter, or None if the file has nothing to execute."""
    name = path.relative_to(root).with_suffix("").as_posix()
    return _page(name, path, parse_chapter(path.read_text(encoding="utf-8"), str(path)))


def read_script(path: Path, root: Path) -> Page:
    place = path.relative_to(root / GALLERY).with_suffix("")
    name = f"{EXAMPLES}/{place.as_posix()}"
    return _page(name, path, parse_script(path.read_text(encoding="utf-8"), str(path)))


def _page(name: str, path: Path, parsed: dict | None) -> Page | None:
    if parsed is None:
        return None
    cells = tuple(Cell(code, line, frozenset(t)) for code, line, t in parsed["cells"])
    resources = read_resources(parsed["resources"], path)
    return Page(name, path, cells, tuple(parsed["requires"]), resources)


def read_resources(text: str, path: Path) -> tuple[tuple[str, float], ...]:
    """Read ``GPU=1 memory=8``; raises BuildError for anything else."""
    found = []
    for part in text.split():
        name, _, amount = part.partition("=")
        if name not in ("GPU", "memory") or not amount.replace(".", "", 1).isdigit():
            raise BuildError(
                f"{path} asks for the resource {part!r}; write GPU=1 or memory=8 "
                "(gigabytes)."
            )
        found.append((name, float(amount)))
    return tuple(found)


def discover(root: Path) -> list[Page]:
    """Return every executable page, sorted by name.

    Raises BuildError for a chapter that ``_toc.yml`` does not list, for an entry
    there that is no file, for two pages with the same file name, since commands
    name pages by it (the exercises of a phase by their folder, too), and for a page
    with the name of a module that it imports.
    """
    listed = set(listed_documents(root))
    for name in sorted(listed):
        if not name.startswith(EXAMPLES) and not (root / f"{name}.md").exists():
            raise BuildError(f"_toc.yml lists {name}, but there is no {name}.md.")
    for path in chapter_files(root):
        name = path.relative_to(root).with_suffix("").as_posix()
        if name not in listed:
            raise BuildError(f"{name}.md is not in _toc.yml; add it where it belongs.")
    pages = read_all(root)
    # each phase has its exercises; anything else goes by its file name alone
    stems = [page.stem for page in pages if page.stem != EXERCISES]
    for stem in stems:
        if stems.count(stem) > 1:
            raise BuildError(f"two pages are called {stem}; rename one of them.")
    for page in pages:
        own_name = re.compile(rf"^\s*(import|from) {re.escape(page.stem)}\b", re.M)
        if any(own_name.search(cell.source) for cell in page.cells):
            raise BuildError(
                f"{page.path} imports {page.stem}; its download as a script would "
                "import itself. Rename the page."
            )
    return pages


def chapter_files(root: Path) -> list[Path]:
    return [root / "index.md", *sorted((root / "book").rglob("*.md"))]


def read_all(root: Path) -> list[Page]:
    """Read every executable page below a root."""
    chapters = [read_chapter(path, root) for path in chapter_files(root)]
    scripts = sorted((root / GALLERY).rglob("plot_*.py"))
    return [
        *(page for page in chapters if page),
        *(read_script(path, root) for path in scripts),
    ]


def listed_documents(root: Path) -> Iterator[str]:
    """Yield each document that ``_toc.yml`` names."""

    def walk(node: object) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key in ("root", "file") and isinstance(value, str):
                    yield value.removesuffix(".md")
                else:
                    yield from walk(value)
        elif isinstance(node, list):
            for item in node:
                yield from walk(item)

    yield from walk(yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8")))


def find(pages: list[Page], name: str) -> Page:
    """Return the page with this label, such as ``first-program`` or
    ``02-tensors-operations/exercises``; a path to its file will do as well."""
    wanted = Path(name).with_suffix("")
    label = f"{wanted.parent.name}/{EXERCISES}" if wanted.name == EXERCISES else None
    for page in pages:
        if page.label == (label or wanted.name):
            return page
    known = ", ".join(page.label for page in pages)
    raise BuildError(f"there is no page called {name}; the pages are {known}.")


def visible_text(output: dict) -> str:
    """Return an output's text as a reader sees it."""
    if output["output_type"] == "stream":
        return output["text"]
    return output.get("data", {}).get("text/plain", "")
