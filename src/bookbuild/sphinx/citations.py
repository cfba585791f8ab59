"""Citations and reference lists: plain Markdown in downloads, a list on the site."""

import re
from functools import cache
from pathlib import Path

from docutils import nodes
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from pybtex.database import parse_file
from sphinx.application import Sphinx

VENUES = ("journal", "booktitle", "publisher", "howpublished", "note", "institution")


def bibliography(app: Sphinx) -> dict:
    """Return the book's references by their keys."""
    return _parse(tuple(Path(app.srcdir, f) for f in app.config.bibtex_bibfiles))


@cache
def _parse(files: tuple[Path, ...]) -> dict:
    return {k: entry for f in files for k, entry in parse_file(f).entries.items()}


def cite(app: Sphinx, keys: str, join: str, *, brackets: bool = False) -> str:
    """Render a citation as author and year."""
    entries = bibliography(app)
    parts = []
    for key in keys.split(","):
        entry = entries[key.strip()]
        names = [" ".join(p.last_names) for p in entry.persons["author"]]
        who = names[0] if len(names) == 1 else f"{names[0]} and {names[1]}"
        if len(names) > 2:
            who = f"{names[0]} et al."
        year = entry.fields["year"]
        parts.append(f"{who}{join}({year})" if brackets else f"{who}{join}{year}")
    return "; ".join(parts).replace("{", "").replace("}", "")


def references_cell(app: Sphinx, text: str) -> list[NotebookNode]:
    """Return a cell that lists the works a page cites, if it cites any."""
    entries = bibliography(app)
    keys: list[str] = []
    for group in re.findall(r"\{cite:[pt]\}`([^`]+)`", text):
        keys += [k.strip() for k in group.split(",") if k.strip() not in keys]
    lines = []
    for key in keys:
        entry = entries[key]
        names = ", ".join(" ".join(p.last_names) for p in entry.persons["author"])
        fields = entry.fields
        where = next((fields[k] for k in VENUES if k in fields), "")
        line = f"- {names} ({fields['year']}). *{fields['title']}*. {where}."
        lines.append(line.replace("{", "").replace("}", "").replace("--", "–"))
    return (
        [new_markdown_cell("\n".join(["## References", "", *lines]))] if lines else []
    )


def _mark_as_list(
    app: Sphinx, name: str, template: str, context: dict, doctree: nodes.document
) -> None:
    # an entry's role, as docutils has it, is deprecated
    role = 'role="doc-biblioentry"'
    context["body"] = context.get("body", "").replace(role, 'role="listitem"')


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _mark_as_list)
