"""The one style sheet of the site against the many that it was made of.

Each element of a page is asked for all of its properties, with either; so are its
``::before`` and ``::after``. The browser itself says whether a rule is missing.
"""

import json
from itertools import cycle
from pathlib import Path

import pytest

RECORD = Path("_build/.doctrees/styles.json")
PAGES = (
    "index.html",
    "search.html?q=momentum",
    "genindex.html",
    "examples/index.html",
    "examples/01_pytorch_basics/plot_penguin_regions.html",
    "book/02-tensors-operations/broadcasting.html",  # with an explorer
    "book/03-autograd-backprop/gradient-descent.html",  # formulas, exercises
    "book/appendix/bibliography.html",
)
VIEWS = [(1280, "light"), (390, "dark")]

# what is compared: of things that are called alike, and lie alike, the first three
CHOOSE = """() => {
  const seen = {};
  const called = (e) => e.tagName + "." + e.getAttribute("class") + "#" + e.id;
  window.chosen = [...document.querySelectorAll("body, body *")].filter((e) => {
    const kind = called(e) + called(e.parentElement) + !e.previousElementSibling;
    return (seen[kind] = (seen[kind] ?? 0) + 1) <= 3;
  });
  return chosen.length;
}"""
LOOKS = """() => chosen.map((e) => ["", "::before", "::after"].map((part) => {
  const style = getComputedStyle(e, part || null);
  if (part && style.content === "none") return "";
  return Array.from(style, (n) => n + ":" + style.getPropertyValue(n)).join(";");
}).join("|"))"""
STILL = """
    *, ::before, ::after { transition: none !important; animation: none !important; }
    * { content-visibility: visible !important; }
"""
# how elements that look otherwise are called, and in what they differ
DIFFERENCES = f"""() => {{
  const after = ({LOOKS})();
  return after.flatMap((looks, i) => {{
    if (looks === before[i]) return [];
    const old = new Set(before[i].split(/[;|]/));
    const what = looks.split(/[;|]/).filter((entry) => !old.has(entry));
    return [`${{chosen[i].outerHTML.slice(0, 80)}} -> ${{what.slice(0, 3)}}`];
  }});
}}"""


def many_sheets(page, site_url: str) -> None:
    """Take away the one sheet, and load those that it was made of."""
    sheets = json.loads(RECORD.read_text(encoding="utf-8"))["sheets"]
    assert len(sheets) > 10
    links = [f"{site_url}{sheet}" for sheet in sheets]
    page.evaluate(
        """async (links) => {
          const [one] = document.querySelectorAll('link[rel="stylesheet"]');
          for (const href of links) {
            const link = Object.assign(document.createElement("link"),
                                       {rel: "stylesheet", href});
            const come = new Promise((done, fail) => {
              link.onload = done;
              link.onerror = () => fail(href);
            });
            one.before(link);
            await come;
          }
          one.remove();
        }""",
        links,
    )


@pytest.mark.parametrize(("name", "view"), list(zip(PAGES, cycle(VIEWS), strict=False)))
def test_every_element_looks_as_with_all_the_sheets(page, site_url, name, view):
    width, theme = view
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(site_url + name)
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    page.add_style_tag(content=STILL)
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(500)  # scripts add the last things
    if name.startswith("search"):
        page.get_by_text("Search finished").wait_for()
    assert page.evaluate(CHOOSE) > 80
    page.evaluate(f"() => {{ window.before = ({LOOKS})(); }}")
    many_sheets(page, site_url)
    page.evaluate("document.fonts.ready")
    assert page.evaluate(DIFFERENCES) == []


def test_a_rule_that_is_missing_is_noticed(page, site_url):
    page.goto(f"{site_url}index.html")
    page.evaluate(CHOOSE)
    page.evaluate(f"() => {{ window.before = ({LOOKS})(); }}")
    assert page.evaluate(DIFFERENCES) == []
    page.add_style_tag(content=".bd-article h1 { letter-spacing: 3px; }")
    assert page.evaluate(DIFFERENCES)
