"""The role ``parts``: what there is of a phase, counted when the site is built.

``{parts}`4` `` becomes "12 chapters, 18 exercises, 8 examples". A phase whose chapters
are not written says that they are outlined.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from bookbuild.pages import EXAMPLES
from bookbuild.sphinx.progress import INDEX


class parts(nodes.Inline, nodes.TextElement):
    """Stands where the counts will stand, once all pages are read."""


class Parts(SphinxRole):
    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        return [parts(phase=int(self.text))], []


def words(pages: dict[str, int]) -> str:
    """Say how much there is, given a phase's pages with their exercises."""
    examples = sum(name.startswith(f"{EXAMPLES}/") for name in pages)
    chapters = len(pages) - examples - sum(n.endswith("/exercises") for n in pages)
    first = _many(chapters, "chapter") or "Chapters outlined"
    counts = (first, _many(sum(pages.values()), "exercise"), _many(examples, "example"))
    return ", ".join(filter(None, counts))


def _many(number: int, name: str) -> str:
    return f"{number} {name}{'s' * (number != 1)}" if number else ""


def _count(app: Sphinx, doctree: nodes.document, name: str) -> None:
    for node in list(doctree.findall(parts)):
        for index, pages in app.env.tenphases_progress.items():
            if int(INDEX.fullmatch(index)[1]) == node["phase"]:
                node.replace_self(nodes.Text(words(pages)))


def setup(app: Sphinx) -> None:
    app.add_node(parts)
    app.add_role("parts", Parts())
    app.connect("doctree-resolved", _count)
