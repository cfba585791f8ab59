"""The line through a phase: which page of how many this is, and where the others are.

It is made when a page is written, from the table of contents as it is then; the
layout puts it above the title, and gives the page its phase's colour.
"""

import re
from collections.abc import Callable
from html import escape

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

IN_PHASE = re.compile(r"(book|examples)/(\d\d)[-_][\w-]+/")
KINDS = {"book": "page", "examples": "example"}


def phase_of(name: str) -> str | None:
    """Return the two digits of the phase that a document belongs to, if to any."""
    match = IN_PHASE.match(name)
    return match[2] if match else None


def phase_line(
    env: BuildEnvironment, name: str, uri: Callable[[str], str]
) -> str | None:
    """Return the line of a chapter or example as HTML; other pages have none.

    ``uri`` gives the address of a document as seen from this one.
    """
    match = IN_PHASE.match(name)
    index = f"{name.rpartition('/')[0]}/index"
    pages = env.toctree_includes.get(index, [])
    if not match or name not in pages:
        return None
    number, total = pages.index(name) + 1, len(pages)
    steps = "".join(_step(env, page, name, uri) for page in pages)
    return (
        # what is of the class headerlink, Sphinx leaves out of excerpts in search
        '<nav class="phase-line headerlink" aria-label="Pages of this phase">'
        f'<a href="{escape(uri(index))}">{escape(env.titles[index].astext())}</a>'
        f"<span>{KINDS[match[1]]} {number} of {total}</span><ol>{steps}</ol></nav>"
    )


def _step(
    env: BuildEnvironment, page: str, here: str, uri: Callable[[str], str]
) -> str:
    title = escape(env.titles[page].astext())
    now = ' aria-current="page"' if page == here else ""
    link = f'<a href="{escape(uri(page))}" title="{title}"{now}>'
    return f'<li>{link}<span class="visually-hidden">{title}</span></a></li>'


def _add_to_page(
    app: Sphinx, name: str, template: str, context: dict, doctree: nodes.document
) -> None:
    context["phase"] = phase_of(name)
    if doctree is not None:  # a document, not one of Sphinx's own pages
        context["phase_line"] = phase_line(app.env, name, context["pathto"])


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", _add_to_page)
