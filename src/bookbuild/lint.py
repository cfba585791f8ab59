"""``python -m bookbuild.lint [FILE ...]``: what a machine can check of a page's style.

Every message names the file and line, says what is wrong, and how to mend it.
Chapters are read line by line here, not parsed: the lint session has no MyST.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CELL = re.compile(r"(`{3,})\{code-cell\}")
OTHER = re.compile(r"(`{3,})\S")  # any other fenced block
WIDTH, LENGTH = 78, 30  # columns and lines of a cell that is shown
NO_CHAPTER = ("index", "exercises")
NO_CHAPTERS = ("appendix", "labs")
# words that the style guide does without, and what to do about them
PROSE = {
    r"\blet(?:'|\N{RIGHT SINGLE QUOTATION MARK})s\b": "say what happens",
    r"\bdiv(?:e|ing) in(?:to)?\b": "begin",
    r"\bin this (?:section|chapter|tutorial),? (?:we|you) will\b": "begin at once",
    r"\bit is (?:important|worth) (?:to note|noting)\b": "leave it out",
    r"\b(?:delve|leverag(?:e|es|ing)|seamless(?:ly)?)\b": "use a plain word",
    r"\b(?:powerful|awesome|amazing|blazing(?:ly)?)\b": "show it with a number",
    r"[\U0001F300-\U0001FAFF]": "leave the emoji out",
    r"\b(?:color|behavior|normaliz(?:e|ed|ation|ing)|gray)\b": "use British spelling",
}
# what PyTorch has replaced
OLD = {
    r"\bmodels\.\w+\(.*\bpretrained=": "write weights=... instead",
    r"\btorch\.cuda\.amp\b": "use torch.amp",
    r"\btorch\.jit\.\w+\(": "use torch.export or torch.compile",
    r"\bautograd\.Variable\b": "use a tensor",
    r"\btorch\.(?:symeig|qr|svd|chain_matmul|range|lstsq|eig)\(": "use torch.linalg",
    r"\bdynamo=False\b": "leave it out",
}
RUFF = "E4,E7,E9,F,B,UP"
# pages import where a thing is first used, and show values by naming them
RUFF_IGNORED = "E402,E703,E731,E741,B018,B015,F811,E701,E702,B007,B008,B023,B905"


@dataclass
class Chapter:
    """A chapter's lines, told apart; numbers count from 1."""

    path: Path
    lines: list[str]
    code: dict[int, str] = field(default_factory=dict)
    options: dict[int, str] = field(default_factory=dict)  # of cells
    prose: dict[int, str] = field(default_factory=dict)
    cells: list[tuple[int, list[str]]] = field(default_factory=list)  # first, options

    @property
    def is_page(self) -> bool:
        """Whether the rules for chapters hold for it."""
        return (
            bool(self.cells)
            and self.path.stem not in NO_CHAPTER
            and self.path.parent.name not in NO_CHAPTERS
        )


def read(path: Path) -> Chapter:
    chapter = Chapter(path, path.read_text(encoding="utf-8").splitlines())
    fence, in_options, in_block, in_math, other = "", False, False, False, False
    for number, line in enumerate(chapter.lines, start=1):
        if fence:
            if line.startswith(fence):
                fence = ""
            elif in_options and line == "---":
                in_block = in_options = not in_block
                chapter.options[number] = line
            elif in_options and (in_block or line.startswith(":")):
                chapter.options[number] = line
                chapter.cells[-1][1].append(line)
            elif not other:
                in_options = False
                chapter.code[number] = line
        elif match := CELL.match(line):
            fence, in_options, in_block, other = match[1], True, False, False
            chapter.cells.append((number, []))
        elif match := OTHER.match(line):
            fence, in_options, other = match[1], False, True
        else:
            in_math ^= line.count("$$") % 2 == 1
            if not in_math and not line.startswith(("---", ":", "(", "$$")):
                chapter.prose[number] = line
    return chapter


Problem = tuple[int, str]


def check_head(chapter: Chapter) -> Iterator[Problem]:
    if not chapter.is_page:
        return
    name = chapter.path.stem
    if f"({name})=" not in chapter.lines:
        yield 1, f"there is no label; write ({name})= above the title"
    if ":class: objectives" not in chapter.lines:
        yield 1, "there is no box of objectives; copy one from another chapter"


def check_cells(chapter: Chapter) -> Iterator[Problem]:
    for start, options in chapter.cells:
        text = "\n".join(options)
        figure = re.search(r"^\s*figure:", text, re.M)
        if figure and not re.search(r"^\s*alt:", text, re.M):
            yield start, "the figure has no alt text; add mystnb: image: alt"
        if re.search(r"hide-input|remove-cell|remove-input|solution-|starter-", text):
            continue
        end = start
        while end + 1 in chapter.code or end + 1 in chapter.options:
            end += 1
        lines = sum(bool(chapter.code.get(n)) for n in range(start, end + 1))
        if lines > LENGTH:
            yield start, f"the cell has {lines} lines; split it after {LENGTH} at most"
    for number, line in chapter.code.items():
        if len(line) > WIDTH:
            yield number, f"the line has {len(line)} columns; break it before {WIDTH}"


def check_exercises(chapter: Chapter) -> Iterator[Problem]:
    text = "\n".join(chapter.lines)
    solved = set(re.findall(r"\{solution-start\} ([\w.-]+)", text))
    label = re.compile(r"^:label: (ex-[\w.-]+)")
    for number, line in enumerate(chapter.lines, start=1):
        if (match := label.match(line)) and match[1] not in solved:
            yield number, f"{match[1]} has no solution; add solution-start {match[1]}"


def check_words(lines: dict[int, str], known: dict[str, str]) -> Iterator[Problem]:
    for number, line in lines.items():
        plain = re.sub(r"`[^`]*`|\{\w[\w:-]*\}|\]\([^)]*\)|\$[^$]*\$", "", line)
        for pattern, advice in known.items():
            if match := re.search(pattern, plain, re.I):
                yield number, f"{match[0]!r}: {advice}"


def check_code(lines: dict[int, str]) -> Iterator[Problem]:
    for number, line in lines.items():
        for pattern, advice in OLD.items():
            if match := re.search(pattern, line.partition("#")[0]):
                yield number, f"{match[0]!r} is of an older PyTorch; {advice}"


def check_chapter(path: Path) -> Iterator[Problem]:
    chapter = read(path)
    yield from check_head(chapter)
    yield from check_cells(chapter)
    yield from check_exercises(chapter)
    yield from check_words(chapter.prose, PROSE)
    yield from check_code(chapter.code)
    yield from run_ruff(chapter)


def run_ruff(chapter: Chapter) -> Iterator[Problem]:
    """Have ruff read the cells as one module, each line at its own number."""
    last = max(chapter.code, default=0)
    lines = [chapter.code.get(n, "") for n in range(1, last + 1)]
    if not last or any(re.match(r"\s*[%!]", line) for line in lines):
        return  # magics are no Python
    command = ["ruff", "check", "--quiet", "--isolated", "--output-format=concise"]
    # exercises and labs import what their readers will need
    ignored = RUFF_IGNORED if chapter.is_page else f"{RUFF_IGNORED},F401"
    command += ["--select", RUFF, "--ignore", ignored, "--stdin-filename", "p.py"]
    done = subprocess.run(
        [*command, "-"],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        if match := re.match(r"p\.py:(\d+):\d+: (.*)", line):
            yield int(match[1]), match[2]


def check_script(path: Path) -> Iterator[Problem]:
    lines = dict(enumerate(path.read_text(encoding="utf-8").splitlines(), start=1))
    prose = {n: line for n, line in lines.items() if line.startswith("# ")}
    yield from check_words(prose, PROSE)
    yield from check_code({n: x for n, x in lines.items() if not x.startswith("#")})
    text = "\n".join(lines.values())
    if "plt." in text and "sphinx_gallery_alt" not in text:
        yield 1, 'no figure has alt text; write # sphinx_gallery_alt = "..." above it'
    if "vary" not in "\n".join(list(lines.values())[-8:]).lower():
        yield (
            len(lines),
            "the script does not end with `To vary: ...`; say what to vary",
        )


def main(arguments: list[str] | None = None) -> int:
    names = sys.argv[1:] if arguments is None else arguments
    paths = [Path(name) for name in names] or [
        Path("index.md"),
        *sorted(Path("book").rglob("*.md")),
        *sorted(Path("gallery").rglob("plot_*.py")),
    ]
    count = 0
    for path in paths:
        check = check_script if path.suffix == ".py" else check_chapter
        for number, message in sorted(check(path)):
            count += 1
            print(f"{path}:{number}: {message}")
    print(f"{len(paths)} pages: {f'{count} problems' if count else 'ok'}")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
