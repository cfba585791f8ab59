"""Chapters as notebooks that read well in plain Jupyter.

A chapter's Markdown uses MyST's roles and directives, which Jupyter shows as raw
text. This module rewrites the ones that CONTRIBUTING.md allows on a page, and
refuses any other, so that none reaches a reader.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

FENCE = re.compile(r"^(?P<fence>:{3,}|`{3,})(?P<rest>.*)$")
DIRECTIVE = re.compile(r"^\{(?P<name>[\w-]+)\}\s*(?P<argument>.*)$")
ROLE = re.compile(r"(?<!`)\{(?P<name>[\w:]+)\}`(?P<text>[^`]+)`")
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<path>[\w./-]+\.md)(?:#[\w-]+)?\)")
LABEL = re.compile(r"^\([\w-]+\)=\n", re.M)
EQUATION = re.compile(r"^\$\$\n(?P<body>.*?)\n\$\$ \((?P<label>[\w-]+)\)$", re.M | re.S)
FENCED = re.compile(r"^(?P<f>`{3,})[^\n]*\n.*?^(?P=f)$", re.M | re.S)
INLINE = re.compile(r"(?P<t>`+)[^`]+(?P=t)")
KEPT = re.compile("\x00(\\d+)\x00")
BOXES = {
    "note": "Note",
    "tip": "Tip",
    "warning": "Warning",
    "important": "Important",
    "seealso": "See also",
    "admonition": "",
    "dropdown": "",
    "tab-item": "",
}


class MystError(Exception):
    """A role or directive that the downloads do not know."""


@dataclass
class Resolver:
    """What the site knows about names: each entry turns a name into Markdown."""

    roles: dict[str, Callable[[str], str]]
    link: Callable[[str, str], str]  # (text, path) -> Markdown
    online: str = ""  # a link to the page itself, if the site's address is known
    exercise_titles: dict[str, str] = field(default_factory=dict)


def plain_markdown(text: str, resolver: Resolver) -> str:
    """Rewrite MyST Markdown as plain Markdown; raises MystError."""
    return "\n".join(_blocks(text.splitlines(), resolver)).strip("\n")


def number_equations(text: str) -> dict[str, int]:
    """Number a chapter's labelled equations as they stand."""
    labels = [match.group("label") for match in EQUATION.finditer(text)]
    return {label: i for i, label in enumerate(labels, start=1)}


def _blocks(lines: list[str], resolver: Resolver) -> list[str]:
    out: list[str] = []
    plain: list[str] = []
    i = 0
    while i < len(lines):
        fence = FENCE.match(lines[i])
        if not fence:
            plain.append(lines[i])
            i += 1
            continue
        end = _closing(lines, i, fence["fence"])
        directive = DIRECTIVE.match(fence["rest"].strip())
        body = lines[i + 1 : end]
        if directive:
            out += _inline("\n".join(plain), resolver).splitlines()
            plain = []
            name, argument = directive["name"], directive["argument"]
            out += _directive(name, argument, body, resolver)
        else:
            plain += lines[i : end + 1]
        i = end + 1
    return out + _inline("\n".join(plain), resolver).splitlines()


def _closing(lines: list[str], start: int, fence: str) -> int:
    for i in range(start + 1, len(lines)):
        if lines[i].rstrip() == fence:
            return i
    raise MystError(f"a block opened by {lines[start]!r} is never closed")


def _directive(name: str, argument: str, body: list[str], resolver) -> list[str]:
    options, body = _options(body)
    if name == "exercise-start":
        resolver.exercise_titles[options["label"]] = argument
        return ["", f"### Exercise: {_inline(argument, resolver)}", ""]
    if name == "solution-start":
        title = resolver.exercise_titles.get(argument, argument)
        return ["", f"#### Solution: {_inline(title, resolver)}", ""]
    if name in ("exercise-end", "solution-end"):
        return [""]
    if name == "math":
        return ["", "$$", *body, "$$", ""]
    if name == "explorer":  # its text speaks of what only the site has
        there = f"*The page on the site has an explorer here: {resolver.online}.*"
        return ["", there, ""] if resolver.online else [""]
    if name == "tab-set":
        return _blocks(body, resolver)
    if name in BOXES:
        title = _inline(argument, resolver) if argument else BOXES[name]
        content = [f"**{title}**", "", *_blocks(body, resolver)]
        return ["", *(f"> {line}".rstrip() for line in content), ""]
    raise MystError(f"the directive {{{name}}} is not one that downloads can show")


def _options(body: list[str]) -> tuple[dict[str, str], list[str]]:
    options = {}
    rest = list(body)
    while rest and (match := re.match(r"^:([\w-]+):\s*(.*)$", rest[0])):
        options[match.group(1)] = match.group(2)
        rest.pop(0)
    return options, rest


def _inline(text: str, resolver: Resolver) -> str:
    """Rewrite roles, links, labels and equation numbers outside of code."""
    kept: list[str] = []

    def keep(markdown: str) -> str:
        kept.append(markdown)
        return f"\x00{len(kept) - 1}\x00"

    # what must not be taken for Markdown is put aside: code, and what roles become.
    # Roles are written with backticks too, so they go before inline code.
    text = FENCED.sub(lambda match: keep(match.group()), text)
    text = ROLE.sub(lambda match: keep(_role(match, resolver)), text)
    text = INLINE.sub(lambda match: keep(match.group()), text)
    text = _prose(text, resolver)
    while KEPT.search(text):
        text = KEPT.sub(lambda match: kept[int(match.group(1))], text)
    return text


def _role(match: re.Match, resolver: Resolver) -> str:
    if match["name"] not in resolver.roles:
        raise MystError(
            f"the role {{{match['name']}}} is not one that downloads can show"
        )
    return resolver.roles[match["name"]](match["text"])


def _prose(text: str, resolver: Resolver) -> str:
    def equation(match: re.Match) -> str:
        number = resolver.roles["eq"](match["label"]).strip("()")
        return f"$$\n{match['body']} \\tag{{{number}}}\n$$"

    text = LABEL.sub("", text)
    text = EQUATION.sub(equation, text)
    return LINK.sub(lambda m: resolver.link(m["text"], m["path"]), text)
