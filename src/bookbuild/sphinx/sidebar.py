"""The sidebar's links: one table of contents, shown as each page sees it.

The theme makes the table anew for every page, so that its cost grows with the square
of the number of pages. But it differs in little: where the links start from, and
which part is open. So the theme makes it once, as the root of the site sees it, and
each page shows a changed copy.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from docutils import nodes
from pydata_sphinx_theme.toctree import add_toctree_functions
from sphinx.application import Sphinx


@cache  # it is first asked for when all is read, before Sphinx starts its writers
def _whole_table(app: Sphinx, **options) -> Element:
    root = app.config.root_doc
    context = {"toctree": partial(app.builder._get_local_toctree, root)}
    add_toctree_functions(app, root, "", context, None)
    table = context["generate_toctree_html"](collapse=False, kind="sidebar", **options)
    return ElementTree.fromstring(f"<div>{table}</div>")


def _way_to(table: Element, uri: str) -> list[Element]:
    """Return the elements from below ``table`` to the link to ``uri``, or none."""
    for child in table:
        if child.tag == "a" and child.get("href") == uri:
            return [child]
        if way := _way_to(child, uri):
            return [child, *way]
    return []


def seen_from(table: Element, uri: str, address: Callable[[str], str]) -> str:
    """Return the table's HTML as the page at ``uri`` shows it.

    The entries that lead to this page are marked as current, and open. ``address``
    gives the address of a file of the site as seen from the page.
    """
    table = deepcopy(table)
    way = _way_to(table, uri)
    for element in way:
        if element.tag in ("ul", "a"):
            element.set("class", f"current {element.get('class', '')}".strip())
        elif element.tag == "li":
            element.set("class", f"{element.get('class')} current active")
            for details in element.findall("details"):
                details.set("open", "open")
    for link in table.iter("a"):
        link.set("href", address(link.get("href")))
    for here in way[-1:]:
        here.set("href", "#")
    return "".join(
        ElementTree.tostring(child, "unicode", method="html") for child in table
    )


def _offer_table(
    app: Sphinx, name: str, template: str, context: dict, doctree: nodes.document
) -> None:
    def sidebar_table(**options) -> str:
        # Sphinx's name for a file of the site; the page that stands for those not
        # found has its own way of addressing it
        address = partial(context["pathto"], resource=True)
        table = _whole_table(app, **options)
        return seen_from(table, app.builder.get_target_uri(name), address)

    context["sidebar_table"] = sidebar_table


def setup(app: Sphinx) -> None:
    # the theme's own listener, at 500, renders templates to see which are empty
    app.connect("html-page-context", _offer_table, priority=400)
