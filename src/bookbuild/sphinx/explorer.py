"""The directive ``explorer``: something to move and watch, where it teaches.

``:::{explorer} broadcasting`` shows its text, and below it book/explorers/
broadcasting.html, which holds controls and, for pages without scripts, the picture of
its start (book/draw_explorers.mjs drew it). Only such a page loads the script.
"""

from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

PIECES = Path("book/explorers")
LOADS = '<script type="module" src="{static}/explore/{name}.js"></script>\n'


class Explorer(Directive):
    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        env = self.state.document.settings.env
        (name,) = self.arguments
        piece = Path(env.srcdir, PIECES, f"{name}.html")
        if not piece.is_file():
            known = ", ".join(sorted(path.stem for path in piece.parent.glob("*.html")))
            raise self.error(f"there is no explorer {name!r}; choose {known}.")
        env.note_dependency(str(piece))
        static = "../" * env.docname.count("/") + "_static"
        html = piece.read_text(encoding="utf-8") + LOADS.format(
            static=static, name=name
        )
        box = nodes.container(classes=["explorer"])
        self.state.nested_parse(self.content, self.content_offset, box)
        box += nodes.raw("", html, format="html")
        return [box]


def setup(app: Sphinx) -> None:
    app.add_directive("explorer", Explorer)
    app.add_css_file("explore.css")
