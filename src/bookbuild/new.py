"""``python -m bookbuild.new KIND PHASE NAME``: a page that runs, to be replaced.

A chapter also gets its entry in ``_toc.yml``, before the exercises of its phase.
"""

import argparse
import re
import sys
from pathlib import Path
from string import Template

from bookbuild import BuildError
from bookbuild.files import write_atomically
from bookbuild.pages import GALLERY, read_all

TEMPLATES = Path(__file__).with_name("templates")
NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def create(root: Path, kind: str, phase: int, name: str) -> Path:
    """Write a new chapter or gallery script and return its path.

    Raises BuildError for a name that is not made of lower-case words, or is taken,
    and for a phase that there is not.
    """
    if not NAME.fullmatch(name):
        raise BuildError(f"{name} is no name for a page; write words-like-these.")
    index = _index(root, phase)
    folder = index.parent.name
    if kind == "chapter":
        stem, path = name, root / "book" / folder / f"{name}.md"
        template = "chapter.md"
    else:
        stem = f"plot_{name.removeprefix('plot_').replace('-', '_')}"
        path = root / GALLERY / folder.replace("-", "_") / f"{stem}.py"
        template = "plot.py"
    if path.exists() or stem in {page.stem for page in read_all(root)}:
        raise BuildError(f"there is a page called {stem} already; choose another name.")
    title = re.sub("[-_]", " ", name.removeprefix("plot_")).capitalize()
    known = {"name": name, "title": title, "underline": "=" * len(title)}
    text = Template((TEMPLATES / template).read_text(encoding="utf-8"))
    if kind == "chapter":
        _enter(root / "_toc.yml", f"book/{folder}", name)
    elif not (header := path.with_name("GALLERY_HEADER.rst")).exists():
        heading = index.read_text(encoding="utf-8").split("# ", 1)[1].split("\n")[0]
        write_atomically(header, f"{heading}\n{'-' * len(heading)}\n")
    write_atomically(path, text.substitute(known))
    return path


def _index(root: Path, phase: int) -> Path:
    found = sorted((root / "book").glob(f"{phase:02}-*/index.md"))
    if not found:
        raise BuildError(f"there is no phase {phase}; book/ has a folder for each.")
    return found[0]


def _enter(toc: Path, folder: str, name: str) -> None:
    """Enter a chapter below its phase, keeping the file's order and comments."""
    lines = toc.read_text(encoding="utf-8").splitlines()
    start = next(
        i for i, line in enumerate(lines) if line.strip() == f"- file: {folder}/index"
    )
    indent = len(lines[start]) - len(lines[start].lstrip()) + 2
    end = start + 1
    while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) >= indent:
        end += 1
    entry = f"{' ' * (indent + 2)}- file: {folder}/"
    if end == start + 1:
        lines[end:end] = [f"{' ' * indent}sections:", entry + name]
    else:
        last = end - 1 if lines[end - 1] == f"{entry}exercises" else end
        lines.insert(last, entry + name)
    write_atomically(toc, "\n".join(lines) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="new", description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("chapter", "script"))
    parser.add_argument("phase", type=int, help="the number of a phase, 1 to 10")
    parser.add_argument("name", help="words-like-these")
    options = parser.parse_args(arguments)
    try:
        path = create(Path.cwd(), options.kind, options.phase, options.name)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{path.relative_to(Path.cwd())} is there; see it with:")
    print(f"    nox -s page -- {path.stem}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
