"""Figures, equations and exercises numbered from 1 on each page.

Sphinx numbers them through the whole book unless its sections are numbered, so a
new figure on page 2 would rename all that follow. It has no setting for this.
"""

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector

through_the_book = TocTreeCollector.assign_figure_numbers


def page_by_page(collector: TocTreeCollector, env: BuildEnvironment) -> list[str]:
    """Number each page's own; return the pages whose numbers changed.

    Stands in for ``TocTreeCollector.assign_figure_numbers``.
    """
    before = env.toc_fignumbers
    through_the_book(collector, env)
    for kinds in env.toc_fignumbers.values():
        for numbers in kinds.values():
            ordered = sorted(numbers, key=numbers.get)
            numbers.update({name: (i,) for i, name in enumerate(ordered, start=1)})
    now = env.toc_fignumbers
    return [name for name in now if now[name] != before.get(name)]


def setup(app: Sphinx) -> None:
    TocTreeCollector.assign_figure_numbers = page_by_page
