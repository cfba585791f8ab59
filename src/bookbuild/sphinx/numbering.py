"""Figures, equations and exercises numbered from 1 on each page.

Sphinx numbers them through the whole book unless its sections are numbered, so a
new figure on page 2 would rename all that follow. It has no setting for this, and
goes through every page of the book whenever one has changed.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector

Numbers = dict[str, dict[str, tuple[int]]]  # by kind, such as "figure", and id


def numbers_of(env: BuildEnvironment, name: str) -> Numbers:
    """Return the number of each numbered element of a page."""
    found: Numbers = {}
    for node in env.get_doctree(name).findall(nodes.Element):
        if node.get("ids") and (kind := _kind(env, node)):
            of_kind = found.setdefault(kind, {})
            of_kind[node["ids"][0]] = (len(of_kind) + 1,)
    return found


def _kind(env: BuildEnvironment, node: nodes.Element) -> str | None:
    for name, domain in env.domains.items():
        uncaptioned = name == "std" and not domain.get_numfig_title(node)
        if not uncaptioned and (kind := domain.get_enumerable_node_type(node)):
            return kind
    return None


def setup(app: Sphinx) -> None:
    read: list[str] = []

    def remember(app: Sphinx, env: BuildEnvironment, names: list[str]) -> None:
        read[:] = names

    def assign(collector: TocTreeCollector, env: BuildEnvironment) -> list[str]:
        """Number the pages that were read; return those whose numbers changed."""
        before = env.toc_fignumbers
        now = {name: numbers_of(env, name) for name in read if name in env.found_docs}
        env.toc_fignumbers = before | now
        return [name for name in now if now[name] != before.get(name)]

    app.connect("env-before-read-docs", remember)
    TocTreeCollector.assign_figure_numbers = assign
