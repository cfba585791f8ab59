"""What a machine can check of a page's style; ``python -m bookbuild.lint [FILE ...]``.

Every message names the file and line, says what is wrong, and how to mend it.
Chapters are read line by line here, not parsed: the lint session has no MyST.
"""

from collections.abc import Iterator
from pathlib import Path

from bookbuild.lint import code, numbers, spelling, structure, words
from bookbuild.lint.source import Problem, Source, read

# what is checked of each kind of file, in this order
CHECKS = {
    "chapter": (
        *(structure.check_head, structure.check_sections, structure.check_figures),
        *(structure.check_width, structure.check_length, structure.check_exercises),
        *(words.check, numbers.check, spelling.check),
        *(code.check_old, code.check_figures, code.check_ruff),
    ),
    "script": (
        *(structure.check_docstring, structure.check_width, structure.check_length),
        *(structure.check_end, code.check_alt),
        *(words.check, numbers.check, spelling.check),
        *(code.check_old, code.check_figures),
    ),
    "text": (words.check, spelling.check),
}


def check(path: Path) -> Iterator[Problem]:
    """Yield (line, message) for all that is wrong with a file."""
    source = read(path)
    for rule in CHECKS[source.kind]:
        yield from rule(source)


def everything(root: Path) -> list[Path]:
    """Return the files that are checked when none is named."""
    return [
        *sorted(root.glob("*.md")),
        *sorted((root / ".github").rglob("*.md")),
        *sorted((root / "book").rglob("*.md")),
        *sorted((root / "gallery").rglob("plot_*.py")),
    ]


__all__ = ["Problem", "Source", "check", "everything", "read"]
