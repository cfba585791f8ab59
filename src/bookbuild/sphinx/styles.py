"""One style sheet for all pages, with the rules that they use.

The theme and the extensions bring 800 kB of styles in sixteen files, and most of
their rules are for things that this site has nowhere. A browser reads them all before
it shows the first line. So the rules that no page and no script can need are left
out, and the rest is one file. ``tests/browser/test_styles.py`` asks the browser
whether every element still looks the same.
"""

import json
import os
import re
from pathlib import Path

import tinycss2
from sphinx.application import Sphinx

from bookbuild.files import digest_of, write_atomically
from bookbuild.sphinx.policy import is_finished

SHEET = "_static/site.css"
NOT_PAGES = ("_static", "downloads")
LINK = re.compile(r'<link\b(?=[^>]*rel="stylesheet")[^>]*href="([^"]*)"[^>]*>\s*')
OURS = re.compile(rf"({SHEET})\?v=\w+")
TAG = re.compile(r"<([a-z][\w-]*)")
NAMES = re.compile(r'\b(?:class|id)="([^"]*)"')
SCRIPT = re.compile(r'<script\b[^>]*\bsrc="([^"?]*)')
INLINE = re.compile(r"<script\b[^>]*>([^<]+)")
IMPORTED = re.compile(r'\bfrom\s*"(\./[^"]+)"')
ADDRESS = re.compile(r"""url\(\s*(["']?)(?!data:|#)([^"')]+)\1\s*\)""")
WITH_RULES = ("media", "supports", "container", "layer")


# --- which names there are ----------------------------------------------------


def names_of_page(html: str) -> set[str]:
    """Return each tag, class and id of a page, and the words of scripts in it."""
    names = {*TAG.findall(html), *" ".join(NAMES.findall(html)).split()}
    return names.union(*map(words, INLINE.findall(html)))


def names_of_script(path: Path) -> set[str]:
    """Return every word of a script and of those that it imports."""
    code = path.read_text(encoding="utf-8")
    imported = (path.parent / other for other in IMPORTED.findall(code))
    return words(code).union(*map(names_of_script, imported))


def words(code: str) -> set[str]:
    return set(re.findall(r"[\w-]+", code))


def local(address: str, page: Path, root: Path) -> Path:
    """Return the file at an address; one that begins with / is below the root."""
    path = address.split("?")[0]
    inside = path.partition("_static/")[1:] if path.startswith("/") else None
    return Path(root, *inside) if inside else Path(os.path.normpath(page.parent / path))


# --- which rules they need ----------------------------------------------------


def prune(css: str, names: set[str]) -> str:
    """Leave out the rules that can hold for none of these tags, classes and ids."""
    sheet = tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)
    return _prune(sheet, names)


def _prune(rules: list, names: set[str]) -> str:
    return "\n".join(filter(None, (_rule(rule, names) for rule in rules)))


def _rule(rule, names: set[str]) -> str:
    if rule.type == "qualified-rule":
        kept = [s for s in _selectors(rule.prelude) if needs(s) <= names]
        selectors = ",".join(tinycss2.serialize(s).strip() for s in kept)
        return f"{selectors}{{{_text(rule.content)}}}" if kept else ""
    if rule.type != "at-rule" or rule.lower_at_keyword == "charset":
        return ""  # what is wrong, which browsers leave out too
    if rule.lower_at_keyword not in WITH_RULES or rule.content is None:
        return rule.serialize()
    inside = tinycss2.parse_rule_list(
        rule.content, skip_comments=True, skip_whitespace=True
    )
    kept = _prune(inside, names)
    head = f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}"
    return f"{head}{{{kept}}}" if kept else ""


def _selectors(prelude: list) -> list[list]:
    """Return the selectors of a list, each as its tokens."""
    found = [[]]
    for token in prelude:
        if token == ",":
            found.append([])
        else:
            found[-1].append(token)
    return found


def needs(selector: list) -> set[str]:
    """Return the names that a page must have for a selector to match.

    What stands in brackets, as in ``:not(.a)`` and ``[href]``, counts for nothing.
    """
    found = set()
    after = None
    for token in selector:
        if token.type == "hash" or (token.type == "ident" and after != ":"):
            found.add(token.value)
        after = token.value if token.type == "literal" else None
    return found


def _text(content: list) -> str:
    tokens = [token for token in content if token.type != "comment"]
    return tinycss2.serialize(tokens).strip()


# --- one file out of many -----------------------------------------------------


def whole(sheet: Path, target: Path) -> str:
    """Return a sheet, with those that it imports, as it may stand in another file."""

    def moved(match: re.Match) -> str:
        path = os.path.relpath(sheet.parent / match[2], target.parent)
        return f'url("{path}")'

    def imported(match: re.Match) -> str:
        return whole(sheet.parent / match[1], target)

    css = ADDRESS.sub(moved, sheet.read_text(encoding="utf-8"))
    return re.sub(r'@import "([^"]+)";', imported, css)


class Site:
    """The pages of a built site, and what is known of them from earlier builds."""

    def __init__(self, root: Path, record: Path) -> None:
        self.root = root
        self.record = record
        known = json.loads(record.read_text("utf-8")) if record.exists() else {}
        self.sheets: list[str] = known.get("sheets", [])
        self.scripts: dict[str, list[str]] = known.get("scripts", {})
        self.names: dict[str, list[str]] = known.get("names", {})
        self.made_of: str = known.get("made of", "")
        self.version: str = known.get("version", "")

    def finish(self) -> None:
        """Give pages that were written anew the one sheet instead of the many."""
        pages = self._pages()
        new = {name: page for name, page in pages.items() if not is_finished(page)}
        self._note(new)
        self.names = {name: self.names[name] for name in pages}
        self.scripts = {name: self.scripts[name] for name in pages}
        changed = self._write_sheet()
        for page in (pages if changed else new).values():
            self._link(page)
        known = {"sheets": self.sheets, "scripts": self.scripts, "names": self.names}
        known |= {"made of": self.made_of, "version": self.version}
        write_atomically(self.record, json.dumps(known))

    def _pages(self) -> dict[str, Path]:
        found = {p.relative_to(self.root): p for p in sorted(self.root.rglob("*.html"))}
        return {
            name.as_posix(): path
            for name, path in found.items()
            if name.parts[0] not in NOT_PAGES
        }

    def _note(self, new: dict[str, Path]) -> None:
        """Take down what the new pages load, and which names they have."""
        sheets = {}
        for name, page in new.items():
            html = page.read_text(encoding="utf-8")
            sheets |= dict.fromkeys(self._local(LINK.findall(html), page))
            # the search's index is a script, too, with each word of the book
            scripts = [one for one in SCRIPT.findall(html) if "_static/" in one]
            self.scripts[name] = self._local(scripts, page)
            self.names[name] = sorted(names_of_page(html))
        if sheets:
            self.sheets = list(sheets)

    def _local(self, addresses: list[str], page: Path) -> list[str]:
        """Return the files at addresses, as seen from the site's root."""
        files = (local(address, page, self.root) for address in addresses)
        return [file.relative_to(self.root).as_posix() for file in files]

    def _write_sheet(self) -> bool:
        """Write the sheet; return whether it is another than it was."""
        target = self.root / SHEET
        css = "\n".join(whole(self.root / sheet, target) for sheet in self.sheets)
        scripts = sorted(set().union(*self.scripts.values()))
        names = set().union(
            *self.names.values(),
            *(names_of_script(self.root / script) for script in scripts),
        )
        made_of = digest_of(css + " ".join(sorted(names)))
        if made_of == self.made_of and target.exists():
            return False
        self.made_of = made_of
        css = prune(css, names)
        write_atomically(target, css)
        before, self.version = self.version, digest_of(css)[:8]
        return self.version != before

    def _link(self, page: Path) -> None:
        html = before = page.read_text(encoding="utf-8")
        found = LINK.search(html)
        if found and SHEET not in found[1]:
            head, _, _ = found[1].partition("_static/")
            ours = f'<link rel="stylesheet" href="{head}{SHEET}?v=0">\n'
            rest = LINK.sub("", html[found.end() :])
            html = html[: found.start()] + ours + rest
        html = OURS.sub(rf"\1?v={self.version}", html)
        if html != before:
            write_atomically(page, html)


def _finish(app: Sphinx, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        Site(Path(app.outdir), Path(app.doctreedir, "styles.json")).finish()


def setup(app: Sphinx) -> None:
    # when all pages and files are there; before the policy, which marks pages as done
    app.connect("build-finished", _finish, priority=950)
