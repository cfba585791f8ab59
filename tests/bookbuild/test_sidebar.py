"""The sidebar's shared table is, on every page, what the theme would have made."""

from bs4 import BeautifulSoup

BOTH = """\
<nav id="{name}">{{{{ {name}(
  startdepth=0, kind="sidebar", maxdepth=4, collapse=False, includehidden=True,
  titles_only=True, show_nav_level=1) }}}}</nav>
"""
PARTS = """\
format: jb-book
root: index
parts:
  - caption: First & foremost
    chapters:
      - file: book/one/index
        sections:
          - file: book/one/a
            sections:
              - file: book/one/deep/b
          - file: book/one/c
  - caption: The rest
    chapters:
      - file: book/d
      - url: https://example.org/e
        title: Elsewhere
      - file: examples/index
"""
NAMES = ("book/one/index", "book/one/a", "book/one/deep/b", "book/one/c", "book/d")
WRITTEN_BY_SPHINX = ("search", "genindex", "404")


def normal(nav) -> list:
    """Return the elements of a table: names, attributes, classes as sets, and texts."""
    return [
        (
            element.name,
            {**element.attrs, "class": frozenset(element.get("class", ()))},
            element.find(string=True, recursive=False),
        )
        for element in nav.find_all(True)
    ]


def test_the_table_is_the_themes_on_every_page(tiny_book):
    theirs = BOTH.format(name="generate_toctree_html")
    ours = BOTH.format(name="sidebar_table")
    ours = ours.replace('kind="sidebar", ', "").replace("collapse=False, ", "")
    tiny_book.write("book/templates/sbt-sidebar-nav.html", theirs + ours)
    for name in NAMES:
        text = f"---\norphan: true\n---\n# Page <{name}> & `code`\n"
        tiny_book.write(f"{name}.md", text)
    tiny_book.toc = lambda: tiny_book.write("_toc.yml", PARTS)
    status, output = tiny_book.build()
    assert status == 0, output
    examples = ("examples/index", "examples/one/plot_line")
    for name in ("index", *NAMES, *examples, *WRITTEN_BY_SPHINX):
        page = BeautifulSoup(tiny_book.html(name), "html.parser")
        first, second = (
            page.find("nav", id=id) for id in ("generate_toctree_html", "sidebar_table")
        )
        assert len(first.find_all("a")) >= len(NAMES) + 2
        assert normal(second) == normal(first), name
