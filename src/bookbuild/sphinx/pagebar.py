"""What a page says of its own run: a line under the title, and more at its end."""

from datetime import date
from html import escape

from docutils import nodes
from sphinx.application import Sphinx

from bookbuild.sphinx import results
from bookbuild.sphinx.site import source_url

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
        f"Python {result['python']}{f', {versions}' if versions else ''}; "
        f"{result['cpu_seconds']:.0f} s of CPU time; result {result['key'][:12]}."
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
    bar = f'<p class="page-bar">{escape(ran_on(result))} <span>{anchors}</span></p>'
    title = next(doctree.findall(nodes.title))
    position = title.parent.index(title) + 1
    title.parent.insert(position, nodes.raw("", bar, format="html"))
    foot = f"{ran_on(result)} {made_with(result)}"
    times = f'<a href="{up}{TIMES}.html">Times of all pages</a>'
    html = f'<p class="page-run">{escape(foot)} {times}</p>'
    title.parent.append(nodes.raw("", html, format="html"))


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", _add_bar)
