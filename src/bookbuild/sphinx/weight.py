"""Each page loads only what it uses, and its first screen comes first.

Extensions put their scripts on every page. Here stands what a page must hold to need
one.
"""

import re

from sphinx.application import Sphinx

from bookbuild.sphinx.assets import ICONS_STYLE

NEVER = re.compile(r"(?!)")
# by what is in a script's name, or in the script itself
NEEDED_FOR = {
    # runs cells on other people's servers; Sphinx-Gallery's tags are not used; nor
    # are versions of the site, nor a search that answers every letter
    r"thebe|THEBE|sg-tags|DOCUMENTATION_OPTIONS\.": NEVER,
    r"toggle": re.compile(r'class="[^"]*\b(?:toggle|dropdown)\b'),
    r"copybutton|clipboard": re.compile(r'class="highlight'),
    r"design-tabs": re.compile(r'class="[^"]*\bsd-'),
    r"[Mm]ath[Jj]ax|formulas": re.compile(r'class="math '),
    r"scrollers": re.compile(r"<(?:pre|table)|class=\"math "),
}
# three of four coloured words of code have the colour of text, see book.css
PLAIN = re.compile(r'<span class="(?:n|nn|nc|nt|o|p|w)">([^<]*)</span>')
SIZE = re.compile(r'style="width: (\d+)px; height: (\d+)px;"')
BLOCK = re.compile(
    r"<(?:p|pre|ul|ol|dl|table|figure|details|section|"
    r'div class="(?:cell|math|highlight|admonition)[^"]*")(?=[ >])[^>]*'
)
FIRST_SCREEN = 14  # blocks


def is_needed(script: str, body: str) -> bool:
    """Say whether a page with this body uses a script."""
    wants = [want for name, want in NEEDED_FOR.items() if re.search(name, script)]
    return all(want.search(body) for want in wants)


def _lighten(app: Sphinx, page: str, template: str, context: dict, doctree) -> None:
    body = context.get("body", "")
    scripts = {_text(script): script for script in context["script_files"]}
    needed = [s for text, s in scripts.items() if is_needed(text, body)]
    # a script in the page itself would wait for the styles if it came after them
    context["own_scripts"] = [s for s in needed if not _address(s)]
    files = [s for s in needed if _address(s)]
    at_once = template == "search.html"  # whose own scripts want the others before them
    context["script_files"] = files if at_once else []
    context["last_scripts"] = [] if at_once else [_deferred(s) for s in files]
    body = PLAIN.sub(r"\1", body)
    body = SIZE.sub(r'width="\1" height="\2"', body)
    body = body.replace('loading="lazy"', 'loading="lazy" decoding="async"')
    context["body"], context["first_screen"] = mark_first_screen(body)


def mark_first_screen(body: str) -> tuple[str, str]:
    """Return the body, and the id of the block at which the first screen has ended.

    A browser that has parsed half of the screen shows it, and then lays it out again.
    """
    blocks = list(BLOCK.finditer(body))[:FIRST_SCREEN]
    if not blocks:
        return body, ""
    known = re.search(r' id="([^"]+)"', blocks[-1][0])
    if known:
        return body, known[1]
    end = blocks[-1].end()
    return f'{body[:end]} id="first-screen"{body[end:]}', "first-screen"


def _deferred(script):
    """Return the script so that it runs when all is parsed; they keep their order."""
    if "async" in script.attributes:
        return script
    attributes = {**script.attributes, "defer": "defer"}
    return type(script)(script.filename, priority=script.priority, **attributes)


def _address(script) -> str:
    return str(getattr(script, "filename", script) or "")


def _text(script) -> str:
    return _address(script) or str(script.attributes.get("body", ""))


def setup(app: Sphinx) -> None:
    app.add_css_file(ICONS_STYLE)
    app.add_js_file("scrollers.js")
    app.add_js_file("formulas.js")
    app.connect("html-page-context", _lighten, priority=950)
