"""What a page says of its own run: a line under the title, and more at its end."""

import re
from datetime import date
from html import escape

from docutils import nodes
from sphinx.application import Sphinx

from bookbuild.sphinx import results
from bookbuild.sphinx.archives import phase_zip
from bookbuild.sphinx.install import FOLDER
from bookbuild.sphinx.site import source_url

INDEX = re.compile(r"book/(\d\d)-[\w-]+/index")  # of a phase
TIMES = "book/appendix/times"
DEVICES = {"cuda": "a GPU", "mps": "an Apple GPU", "cpu": "a CPU"}


def ran_on(result: dict) -> str:
    """Say in words where, when and for how long a page ran."""
    day = date.fromisoformat(result["date"])
    hardware = result["device_name"]
    if result["device"] == "cpu":
        hardware += f", {result['cores']} cores"
    torch = result["versions"].get("torch")
    return (
        f"Ran in {result['seconds']:.0f} s on {DEVICES[result['device']]} ({hardware})"
        f"{f' with torch {torch}' if torch else ''} on {day.day} {day:%B %Y}."
    )


def made_with(result: dict) -> str:
    """Say which versions made the outputs, and under which key they are stored."""
    versions = ", ".join(f"{n} {v}" for n, v in sorted(result["versions"].items()))
    return (
        f"Made by Python {result['python']}{f', {versions}' if versions else ''} "
        f"in {result['cpu_seconds']:.0f} s of CPU time; result {result['key'][:12]}."
    )


def _add_bar(app: Sphinx, doctree: nodes.document) -> None:
    name = app.env.docname
    result = results.load(app.srcdir, name)
    if result is None:
        _offer_zip(doctree, name)
        return
    app.env.note_dependency(str(results.path_of(app.srcdir, name)))
    # what is of the class headerlink, Sphinx leaves out of excerpts in search
    ran = escape(ran_on(result))
    bar = f'<p class="page-bar headerlink">{ran} <span>{_links(app, name)}</span></p>'
    title = _below_title(doctree, bar)
    times = f'<a href="{_up(name)}{TIMES}.html">Times of all pages</a>'
    html = f'<p class="page-run">{escape(made_with(result))} {times}</p>'
    title.parent.append(nodes.raw("", html, format="html"))


def _links(app: Sphinx, name: str) -> str:
    """Return the links to a page's downloads, to Colab and to its source as HTML."""
    up = _up(name)
    links = [
        (f"{up}{FOLDER}/{name}.ipynb", "Notebook", " download"),
        (f"{up}{FOLDER}/{name}.py", "Script", " download"),
    ]
    if app.config.tenphases_colab:
        links.append(
            (f"{app.config.tenphases_colab}/{name}.ipynb", "Open in Colab", "")
        )
    if edit := source_url(app, name):
        links.append((edit, "Edit", ""))
    return " ".join(
        f'<a href="{escape(url)}"{extra}>{label}</a>' for url, label, extra in links
    )


def _up(name: str) -> str:
    """Return the way from a document to the site's root."""
    return "../" * name.count("/")


def _below_title(doctree: nodes.document, html: str) -> nodes.title:
    title = next(doctree.findall(nodes.title))
    position = title.parent.index(title) + 1
    title.parent.insert(position, nodes.raw("", html, format="html"))
    return title


def _offer_zip(doctree: nodes.document, name: str) -> None:
    """Offer, on the index of a phase, all of its notebooks at once."""
    if match := INDEX.fullmatch(name):
        link = f"../../{FOLDER}/{phase_zip(match[1])}"
        text = "All notebooks of this phase (zip)"
        anchor = f'<a href="{link}" download>{text}</a>'
        _below_title(doctree, f'<p class="page-zip">{anchor}</p>')


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _add_bar)
