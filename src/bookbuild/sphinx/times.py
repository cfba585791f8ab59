"""The directive ``page-times``: a table of what ran where, when, and for how long."""

import json
from datetime import date
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

from bookbuild import RESULTS

HEADINGS = ("Page", "Time", "CPU time", "Device", "Day")


class PageTimes(Directive):
    """Lists every page of the build with its stored run.

    ``current`` knows the directive's name and has its document read again whenever
    a result has changed.
    """

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        folder = Path(env.srcdir) / RESULTS
        found = [json.loads(path.read_text()) for path in folder.rglob("*.json")]
        found.sort(key=lambda result: -result["seconds"])
        rows = [_row(result, env.docname) for result in found]
        return [_total(found), _table(rows)]


def _total(found: list[dict]) -> nodes.paragraph:
    seconds = sum(result["seconds"] for result in found)
    cpu = sum(result["cpu_seconds"] for result in found)
    text = (
        f"{len(found)} pages took {_minutes(seconds)} of running, added up, and "
        f"{_minutes(cpu)} of CPU time."
    )
    return nodes.paragraph("", text)


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _row(result: dict, document: str) -> list[nodes.Node]:
    link = pending_xref(
        "",
        nodes.inline("", result["page"].rpartition("/")[2]),
        refdomain="std",
        reftype="doc",
        refdoc=document,
        reftarget=f"/{result['page']}",
        refexplicit=False,
        refwarn=True,
    )
    day = date.fromisoformat(result["date"])
    texts = (
        f"{result['seconds']:.1f} s",
        f"{result['cpu_seconds']:.1f} s",
        result["device_name"],
        f"{day.day} {day:%b %Y}",
    )
    return [nodes.paragraph("", "", link), *(nodes.paragraph("", t) for t in texts)]


def _table(rows: list[list[nodes.Node]]) -> nodes.table:
    group = nodes.tgroup(cols=len(HEADINGS))
    group += [nodes.colspec(colwidth=1) for _ in HEADINGS]
    head, body = nodes.thead(), nodes.tbody()
    head += _entries([nodes.paragraph("", text) for text in HEADINGS])
    body += [_entries(row) for row in rows]
    group += [head, body]
    table = nodes.table(classes=["page-times"])
    table += group
    return table


def _entries(cells: list[nodes.Node]) -> nodes.row:
    row = nodes.row()
    row += [nodes.entry("", cell) for cell in cells]
    return row


def setup(app: Sphinx) -> None:
    app.add_directive("page-times", PageTimes)
