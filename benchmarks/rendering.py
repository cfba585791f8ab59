"""Whether rendering scales: seconds a page for generated books of two sizes.

Nothing is executed: the chapters hold prose, mathematics and code with stored
outputs. Prints the seconds a page and their ratio.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from tinybook import TinyBook, cell

SIZES = (30, 300)
PHASES = 10
PARAGRAPH = "A sentence about tensors, with $x_i^2$ and a [link](c000.md). " * 12


def make(folder: Path, size: int) -> TinyBook:
    folder.mkdir()
    book = TinyBook(folder)
    for number in range(size):
        sections = "\n\n".join(
            f"## Section {i} of page {number}\n\n{PARAGRAPH}\n\n{cell(f'print({i})')}"
            for i in range(8)
        )
        book.chapter(f"c{number:03}", sections)
    return book


def toc(book: TinyBook) -> None:
    """List the chapters as the book does: phases, and pages below each."""
    lines = ["format: jb-book", "root: index", "chapters:"]
    step = -(-len(book.chapters) // PHASES)
    for i in range(0, len(book.chapters), step):
        first, *rest = book.chapters[i : i + step]
        lines += (
            [f"  - file: book/{first}", "    sections:"]
            if rest
            else [f"  - file: book/{first}"]
        )
        lines += [f"      - file: book/{name}" for name in rest]
    lines.append("  - file: examples/index")
    book.write("_toc.yml", "\n".join(lines) + "\n")


def store_results(book: TinyBook) -> None:
    """Lay results as the engine would, without running 300 pages."""
    from bookbuild import RESULTS
    from bookbuild.pages import read_all

    for page in read_all(book.root):
        result = {
            "page": page.name,
            "sources": [c.source for c in page.cells],
            "outputs": [
                [{"output_type": "stream", "name": "stdout", "text": f"{i}\n"}]
                for i in range(len(page.cells))
            ],
            **{"seconds": 1.0, "cpu_seconds": 1.0, "date": "2026-01-01", "cores": 2},
            **{"device": "cpu", "device_name": "none", "artifacts": {}},
            **{"key": "0" * 64, "python": "3.11"},
            **{"versions": {"torch": "2"}, "named": []},
        }
        path = book.root / RESULTS / f"{page.name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result))


RENDER = """
from pathlib import Path
from bookbuild.render import Renderer, build_wheel, configure
configure(Path())
build_wheel(Path())
with Renderer(Path(), partial=False) as renderer:
    raise SystemExit(not renderer.render())
"""


def seconds_a_page(folder: Path, size: int) -> float:
    book = make(folder, size)
    toc(book)
    store_results(book)
    start = time.perf_counter()
    path = str(Path(__file__).parents[1] / "src")
    subprocess.run(
        [sys.executable, "-c", RENDER],
        cwd=book.root,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )
    return (time.perf_counter() - start) / size


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="rendering-") as name:
        times = {size: seconds_a_page(Path(name, str(size)), size) for size in SIZES}
    for size, seconds in times.items():
        print(f"{size:4} pages: {seconds:.3f} s a page")
    small, large = times.values()
    print(f"ratio: {large / small:.2f}")


if __name__ == "__main__":
    main()
