"""One visit to a page: what a person meets at two widths and in two themes."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page

LOOK = Path(__file__).with_name("look.js").read_text(encoding="utf-8")
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# what may differ between two themes at one width
COLOURS = ["color-contrast", "link-in-text-block"]
# what is asked from here on is asked of all sections, not of those near the screen
LAID_OUT = "section { content-visibility: visible !important; }"
AXE = """(rules) => axe.run({runOnly: rules, resultTypes: ['violations'],
                             preload: false})"""


@dataclass
class Visit:
    """What a page did; each list names what is wrong and is empty on a good page."""

    name: str
    errors: list[str] = field(default_factory=list)  # in the console
    foreign: list[str] = field(default_factory=list)  # requests to other hosts
    violations: list[str] = field(default_factory=list)  # of WCAG, by axe
    facts: dict = field(default_factory=dict)  # what look.js found


def visit(page: Page, site: str, name: str) -> Visit:
    seen = Visit(name)
    listen(page, site, seen)
    page.goto(site + name)
    page.evaluate(LOOK)
    page.evaluate(AXE_SCRIPT)
    seen.facts |= page.evaluate("look.settle()")
    seen.facts |= page.evaluate("look.atContent()")
    seen.facts |= by_keyboard(page)
    seen.facts["figures on light"] = page.evaluate("look.illegibleFigures()")
    page.add_style_tag(content=LAID_OUT)
    page.set_viewport_size(PHONE)
    page.evaluate("look.settled()")
    seen.facts["too wide"] = page.evaluate("look.tooWide()")
    page.evaluate("look.thin()")
    seen.violations += check(page, "phone, light", tag=LEVELS)
    page.evaluate("look.setTheme('dark')")
    seen.facts["figures on dark"] = page.evaluate("look.illegibleFigures()")
    seen.violations += check(page, "phone, dark", rule=COLOURS)
    page.set_viewport_size(WIDE)
    page.evaluate("look.settled()")
    seen.violations += check(page, "wide, dark", tag=LEVELS)
    page.evaluate("look.setTheme('light')")
    seen.violations += check(page, "wide, light", rule=COLOURS)
    return seen


def listen(page: Page, site: str, seen: Visit) -> None:
    def heard(message):
        if message.type == "error":
            seen.errors.append(f"{message.text} ({message.location['url']})")

    def asked(request):
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and url.netloc != urlsplit(site).netloc:
            seen.foreign.append(request.url)

    page.on("console", heard)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("request", asked)


def check(page: Page, view: str, **rules: list[str]) -> list[str]:
    """Return what axe finds, a line each with the first element that it names."""
    ((kind, values),) = rules.items()
    found = page.evaluate(AXE, {"type": kind, "values": values})["violations"]
    return [
        f"{view}: {rule['id']} ({len(rule['nodes'])}): {node['html'][:160]} "
        f"{node['failureSummary'].splitlines()[-1].strip()}"
        for rule in found
        for node in rule["nodes"][:1]
    ]


def by_keyboard(page: Page) -> dict:
    """Take the skip link, as the first stop of the Tab key, to the text."""
    page.keyboard.press("Tab")
    first = page.evaluate("look.stop()")
    if first["text"].startswith("Skip"):  # another link would lead away
        page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    inside = page.evaluate("!!document.activeElement.closest('main')")
    unseen = page.evaluate("look.withoutFocusMark()")
    return {"first stop": first, "in the text": inside, "no focus mark": unseen}
