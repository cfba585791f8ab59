"""Mathematics is set when the site is built, so that no page loads MathJax.

MathJax weighs more than a page of text, and takes a phone a second. What it would
have made in the browser is written into the page: its own HTML, and MathML for those
who listen. A formula that cannot be set fails the build.
"""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number, wrap_displaymath
from sphinx.writers.html5 import HTML5Translator

from bookbuild.files import digest_of

STYLE = "mathjax/mathjax.css"
logger = logging.getLogger(__name__)


def mathjax_folder() -> Path:
    """Return where the package sphinx-mathjax-offline keeps MathJax."""
    package = find_spec("sphinx-mathjax-offline").submodule_search_locations[0]
    return Path(package, "static", "mathjax")


def command() -> list[str]:
    program = "bookbuild.sphinx.typesetter"
    return [sys.executable, "-m", program, str(mathjax_folder())]


class Typesetter:
    """Sets formulas, and remembers them in a folder.

    Sphinx writes pages in several processes; each starts its own typesetter when a
    formula is new to it, which ends with the process.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: dict[int, subprocess.Popen] = {}

    def set(self, tex: str, display: bool) -> dict[str, str]:
        question = json.dumps({"tex": tex, "display": display})
        known = self.folder / f"{digest_of(question)}.json"
        if known.exists():
            return json.loads(known.read_text(encoding="utf-8"))
        answer = self._ask(question)
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = known.with_suffix(f".{os.getpid()}")
        draft.write_text(answer, encoding="utf-8")
        draft.replace(known)
        return json.loads(answer)

    def _ask(self, question: str) -> str:
        mine = os.getpid()
        if mine not in self.processes:
            pipe = subprocess.PIPE
            self.processes[mine] = subprocess.Popen(
                command(), stdin=pipe, stdout=pipe, text=True, encoding="utf-8"
            )
        process = self.processes[mine]
        process.stdin.write(question + "\n")
        process.stdin.flush()
        return process.stdout.readline()


def write_style(target: Path) -> None:
    """Write the style that set formulas need."""
    made = subprocess.run([*command(), "css"], check=True, stdout=subprocess.PIPE)
    target.write_bytes(made.stdout)


def _formula(writer: HTML5Translator, node: nodes.Element, tex: str, **how) -> str:
    found = writer.builder.app.tenphases_typesetter.set(tex, **how)
    if "fault" in found:
        logger.warning("mend this formula (%s): %s", found["fault"], tex, location=node)
    return found.get("html", "")


def _visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate"))
    self.body.append(_formula(self, node, node.astext(), display=False) + "</span>")
    raise nodes.SkipNode


def _visit_display(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math notranslate"))
    tex = node.astext()
    if not node["nowrap"]:
        tex = wrap_displaymath(tex, None, False)
    if node["number"]:
        number = get_node_equation_number(self, node)
        self.body.append(f'<span class="eqno">({number})')
        self.add_permalink_ref(node, _("Link to this equation"))
        self.body.append("</span>")
    self.body.append(_formula(self, node, tex, display=True) + "</div>\n")
    raise nodes.SkipNode


def _prepare(app: Sphinx) -> None:
    app.tenphases_typesetter = Typesetter(Path(app.doctreedir, "mathematics"))


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("typeset", (_visit_inline, None), (_visit_display, None))
    app.add_css_file(STYLE)
    app.connect("builder-inited", _prepare)
