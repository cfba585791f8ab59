"""The line under a page's title: what it ran on, for how long, and its downloads."""

from datetime import date
from html import escape

from docutils import nodes
from sphinx.application import Sphinx

from bookbuild.sphinx import results
from bookbuild.sphinx.site import source_url

DEVICES = {"cuda": "a GPU", "mps": "an Apple GPU", "cpu": "a CPU"}


def ran_on(result: dict) -> str:
    """Say in words where, when and for how long a page ran."""
    day = date.fromisoformat(result["date"])
    hardware = result["device_name"]
    if result["device"] == "cpu":
        hardware += f", {result['cores']} cores"
    return (
        f"Ran in {result['seconds']:.0f} s on {DEVICES[result['device']]} "
        f"({hardware}) with torch {result['torch']} on {day.day} {day:%B %Y}."
    )


def _add_bar(app: Sphinx, doctree: nodes.document) -> None:
    name = app.env.docname
    result = results.load(app.srcdir, name)
    if result is None:
        return
    app.env.note_dependency(str(results.path_of(app.srcdir, name)))
    up = "../" * name.count("/")
    links = [
        (f"{up}downloads/{name}.ipynb", "Notebook", " download"),
        (f"{up}downloads/{name}.py", "Script", " download"),
    ]
    if app.config.tenphases_colab:
        links.append(
            (f"{app.config.tenphases_colab}/{name}.ipynb", "Open in Colab", "")
        )
    if edit := source_url(app, name):
        links.append((edit, "Edit", ""))
    anchors = " · ".join(
        f'<a href="{escape(url)}"{extra}>{label}</a>' for url, label, extra in links
    )
    html = f'<p class="page-bar">{escape(ran_on(result))} <span>{anchors}</span></p>'
    title = next(doctree.findall(nodes.title))
    position = title.parent.index(title) + 1
    title.parent.insert(position, nodes.raw("", html, format="html"))


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _add_bar)
