"""What every chapter and every script has, and how long its cells may be."""

import re
from collections.abc import Iterator

from bookbuild.lint.source import Problem, Source

WIDTH, LENGTH = 78, 30  # columns and lines of a cell that is shown
SCRIPT_WIDTH = 88
NOT_SHOWN = r"hide-input|remove-cell|remove-input|solution-|starter-"
SECTIONS = ("Summary", "Exercises", "Further reading")
TITLE, WORDS = 6, (50, 110)  # of a script's docstring


def check_head(page: Source) -> Iterator[Problem]:
    if not page.is_page:
        return
    name = page.path.stem
    if f"({name})=" not in page.lines:
        yield 1, f"there is no label; write ({name})= above the title"
    if ":class: objectives" not in page.lines:
        yield 1, "there is no box of objectives; copy one from another chapter"


def check_sections(page: Source) -> Iterator[Problem]:
    if not page.is_page:
        return
    last = len(page.lines)
    for title in SECTIONS:
        if f"## {title}" not in page.lines:
            yield last, f"there is no section {title!r}; write ## {title}, as others do"
    if not any("assert" in line for line in page.code.values()):
        yield last, "no claim is guarded; write an assert for what the prose says"


def check_figures(page: Source) -> Iterator[Problem]:
    for cell in page.cells:
        options = "\n".join(cell.options)
        figure = re.search(r"^\s*figure:", options, re.M)
        if figure and not re.search(r"^\s*alt:", options, re.M):
            yield cell.start, "the figure has no alt text; add mystnb: image: alt"


def check_width(page: Source) -> Iterator[Problem]:
    widest = WIDTH if page.kind == "chapter" else SCRIPT_WIDTH
    for number, line in page.code.items():
        if len(line) > widest and not line.startswith("# sphinx_gallery"):
            yield number, f"the line has {len(line)} columns; break it before {widest}"


def check_length(page: Source) -> Iterator[Problem]:
    for cell in page.cells:
        if re.search(NOT_SHOWN, "\n".join(cell.options)):
            continue
        code = [line for line in cell.code.values() if line.strip()]
        advice = f"split it after {LENGTH} at most"
        if page.kind == "script":  # where comments at the margin are for Sphinx-Gallery
            code = [line for line in code if not line.startswith("#")]
            advice += ", with a line # %% and a sentence"
        if len(code) > LENGTH:
            yield cell.start, f"the cell has {len(code)} lines; {advice}"


def check_exercises(page: Source) -> Iterator[Problem]:
    text = "\n".join(page.lines)
    solved = set(re.findall(r"\{solution-start\} ([\w.-]+)", text))
    label = re.compile(r"^:label: (ex-[\w.-]+)")
    for number, line in enumerate(page.lines, start=1):
        if (match := label.match(line)) and match[1] not in solved:
            yield number, f"{match[1]} has no solution; add solution-start {match[1]}"


def check_docstring(script: Source) -> Iterator[Problem]:
    """Check the title, which is the docstring's first line, and the text below it."""
    text = [line for line in script.head.values() if line.strip()]
    words = len(text[0].split()) if text else 0
    if not 1 <= words <= TITLE:
        yield 1, f"the title has {words} words; write one to {TITLE}"
    count = sum(len(line.split()) for line in text[2:])  # below the underline
    low, high = WORDS
    if not low <= count <= high:
        yield (
            1,
            f"the docstring has {count} words; state question and finding in {low} to "
            f"{high}",
        )


def check_end(script: Source) -> Iterator[Problem]:
    if "vary" not in "\n".join(script.lines[-8:]).lower():
        yield (
            len(script.lines),
            "the script does not end with `To vary: ...`; say what to vary",
        )
