"""A page's lines, told apart: prose, code, options. Numbers count from 1."""

import re
from dataclasses import dataclass, field
from pathlib import Path

Problem = tuple[int, str]

CELL = re.compile(r"(`{3,})\{code-cell\}")
OTHER = re.compile(r"(`{3,})\S|<!--$")  # any other fenced block, or a comment
ALT = re.compile(r"^# sphinx_gallery_alt = (.*)")
NO_CHAPTER = ("index", "exercises")
NO_CHAPTERS = ("appendix", "labs")
# what is no prose although it stands in it: code, roles, formulae, addresses, marks.
# In its place comes a thing that is neither a word nor a number.
NO_PROSE = re.compile(
    r"""``.+?``                           # code
    | (?:\{[\w:-]+\}|:[\w:]+:)`[^`]*`     # a role, of either markup
    | `[^`]+`                             # code
    | \{solution-start\}.*                # the label of an exercise
    | \{[\w:-]+\}                         # a directive's name
    | (?<=\])\([^)]*\)                    # where a link leads
    | \$[^$]+\$                           # a formula
    | https?://\S+ | [\w./-]+\.(?:py|md|yml|toml|txt|js|dev|org)\b
    | <[^<>\n]+>                          # a mark of HTML""",
    re.X,
)


@dataclass
class Cell:
    """A code cell of a chapter, or the code of a block of a script."""

    start: int
    code: dict[int, str] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)


@dataclass
class Source:
    """A file that is checked; its kind is ``chapter``, ``script`` or ``text``."""

    path: Path
    kind: str
    lines: list[str]
    prose: dict[int, str] = field(default_factory=dict)
    head: dict[int, str] = field(default_factory=dict)  # a script's docstring
    described: dict[int, str] = field(default_factory=dict)  # alt texts, captions
    cells: list[Cell] = field(default_factory=list)

    @property
    def code(self) -> dict[int, str]:
        return {n: line for cell in self.cells for n, line in cell.code.items()}

    @property
    def is_page(self) -> bool:
        """Whether it is a chapter, and has to have all that chapters have."""
        return (
            self.kind == "chapter"
            and bool(self.cells)
            and self.path.stem not in NO_CHAPTER
            and self.path.parent.name not in NO_CHAPTERS
        )


def plain(lines: dict[int, str]) -> dict[int, str]:
    """Return lines without what is no prose in them, which may span several."""
    last = max(lines, default=0)
    text = "\n".join(lines.get(number, "") for number in range(1, last + 1))
    text = NO_PROSE.sub(lambda match: "…" + "\n" * match[0].count("\n"), text)
    kept = enumerate(text.split("\n"), start=1)
    return {number: line for number, line in kept if number in lines}


def read(path: Path) -> Source:
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.suffix == ".py":
        return _read_script(path, lines)
    in_book = path.name == "index.md" or "book" in path.parts
    return _read_markdown(Source(path, "chapter" if in_book else "text", lines))


def _read_markdown(source: Source) -> Source:
    fence, is_cell, in_options, in_block, in_math = "", False, False, False, False
    in_front = source.lines[:1] == ["---"]
    for number, line in enumerate(source.lines, start=1):
        if in_front:
            in_front = number == 1 or line != "---"
        elif fence:
            if line.startswith(fence):
                fence = ""
            elif in_options and line == "---":
                in_block = in_options = not in_block
            elif in_options and (in_block or line.startswith(":")):
                source.cells[-1].options.append(line)
                if match := re.match(r"\s+(?:alt|caption):(.*)", line):
                    source.described[number] = match[1]
            elif is_cell:
                in_options = False
                source.cells[-1].code[number] = line
        elif match := CELL.match(line):
            fence, is_cell, in_options, in_block = match[1], True, True, False
            source.cells.append(Cell(number))
        elif match := OTHER.match(line):
            fence, is_cell, in_options = match[1] or "-->", False, False
        else:
            in_math ^= line.count("$$") % 2 == 1
            if not in_math and not re.match(r"---|:\w|\([\w-]+\)=|\$\$|%", line):
                source.prose[number] = line
    return source


def _read_script(path: Path, lines: list[str]) -> Source:
    source = Source(path, "script", lines, cells=[Cell(1)])
    head = re.match(r'"""(.*?)"""', "\n".join(lines), re.S)
    if head:
        source.head = dict(enumerate(head[1].split("\n"), start=1))
        source.prose |= source.head
    in_text = False
    for number, line in enumerate(lines, start=1):
        if number in source.head:
            continue
        if line.startswith("# %%"):
            in_text = True
            source.cells.append(Cell(number))
        elif in_text and line.startswith("#"):
            if not line.startswith(("# ..", "#  ")):  # a directive of reStructuredText
                source.prose[number] = line[2:]
        else:
            in_text = False
            if match := ALT.match(line):
                source.described[number] = match[1]
            source.cells[-1].code[number] = line
    return source
