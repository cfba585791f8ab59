"""This engine against plain ``jupyter-book build`` with its cache, on the same book.

Both build a copy of the checkout: cold; again with nothing changed; after an edit
of prose; after an edit of a chapter's code; after an edit of a module of
``tenphases`` that the chapter imports. After each build the site is asked whether
it shows what the sources now say. Prints a table in Markdown. Run it on a machine
that does nothing else: ``nox -s bench``.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PARTS = (
    *("index.md", "book", "gallery", "src", "_config.yml", "_toc.yml"),
    *("pyproject.toml", "README.md", "LICENSE", "constraints.txt"),
)
# a short chapter whose page shows all three things that are edited
PROBE = "book/01-pytorch-basics/engine-probe"
MODULE = "src/tenphases/models/mlp.py"
SOURCE = """\
---
file_format: mystnb
kernelspec:
  name: python3
---
# Probe

The prose says {prose}.

```{{code-cell}}
from tenphases.models import mlp

print("the code says {code}, the module", mlp.MARK)
```
"""


class Book:
    """A copy of the book, and the command that builds it."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.folder = folder
        self.command = command
        self.says = {"prose": "one", "code": "one", "module": "one"}
        folder.mkdir(parents=True)
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                hidden = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / part, ignore=hidden)
            else:
                shutil.copy(source, folder / part)
        self._edit_yaml("_toc.yml", self._list_probe)
        self.write()

    def _list_probe(self, toc: dict) -> None:
        toc["parts"][0]["chapters"][0]["sections"].append({"file": PROBE})

    def _edit_yaml(self, name: str, edit: Callable[[dict], None]) -> None:
        path = self.folder / name
        content = yaml.safe_load(path.read_text())
        edit(content)
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def write(self) -> None:
        (self.folder / f"{PROBE}.md").write_text(SOURCE.format(**self.says))
        module = self.folder / MODULE
        text = re.sub(r"\nMARK = .*\n", "", module.read_text())
        module.write_text(f"{text}\nMARK = {self.says['module']!r}\n")

    def edit(self, what: str) -> None:
        self.says[what] = "two"
        self.write()

    def build(self) -> float:
        """Build the book and return the seconds that it took."""
        start = time.perf_counter()
        done = subprocess.run(
            self.command,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "src")},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            sys.exit(f"{done.stdout}\n{done.stderr}\n{self.command} failed.")
        return seconds

    def right(self) -> bool:
        """Return whether the page shows what the sources say."""
        page = (self.folder / "_build" / "html" / f"{PROBE}.html").read_text()
        text = re.sub(r"<[^>]+>", "", page)
        return (
            f"The prose says {self.says['prose']}." in text
            and f"the code says {self.says['code']}, the module {self.says['module']}"
            in text
        )


class PlainBook(Book):
    """The same sources for Jupyter Book alone: it executes, with its cache."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        super().__init__(folder, command)
        self._edit_yaml("_config.yml", self._execute)
        # a directive of our own
        (folder / "book" / "appendix" / "times.md").write_text("# Times\n")

    def _execute(self, config: dict) -> None:
        config["execute"] = {"execute_notebooks": "cache", "timeout": 1800}
        config["sphinx"]["extra_extensions"].remove("bookbuild.sphinx")
        settings = config["sphinx"]["config"]
        del settings["nb_custom_formats"]
        settings["sphinx_gallery_conf"]["image_scrapers"] = ["matplotlib"]
        settings["suppress_warnings"] = ["etoc.toctree", "config.cache"]
        for name in ("templates_path", "notfound_template"):  # they use our context
            del settings[name]


STEPS = {
    "cold": None,
    "nothing changed": None,
    "prose of one chapter": "prose",
    "code of one chapter": "code",
    "module of `tenphases`": "module",
}


def measure(book: Book) -> list[tuple[float, bool]]:
    rows = []
    for step, what in STEPS.items():
        if what:
            book.edit(what)
        rows.append((book.build(), book.right()))
        print(f"{type(book).__name__:10} {step:24} {rows[-1]}", flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="bench-"))
    jupyter_book = str(Path(sys.executable).with_name("jupyter-book"))
    ours = Book(folder / "ours", [sys.executable, "-m", "bookbuild"])
    plain = PlainBook(folder / "plain", [jupyter_book, "build", "."])
    tables = [measure(ours), measure(plain)]
    print(f"\n{os.cpu_count()} cores\n")
    print("| build | this engine | right? | jupyter-book | right? | ratio |")
    print("|---|---|---|---|---|---|")
    for step, mine, theirs in zip(STEPS, *tables, strict=True):
        words = [f"{mine[0]:.1f} s", yes(mine[1]), f"{theirs[0]:.1f} s", yes(theirs[1])]
        print(f"| {step} | {' | '.join(words)} | {theirs[0] / mine[0]:.1f} |")
    if options.keep is None:
        shutil.rmtree(folder)


def yes(right: bool) -> str:
    return "yes" if right else "**no**"


if __name__ == "__main__":
    main()
