"""A tiny book in a temporary folder, built by the real build."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADER = "---\nfile_format: mystnb\nkernelspec:\n  name: python3\n---\n"
BIBLIOGRAPHY = """\
@article{wilson1927probable,
  author = {Wilson, Edwin B.},
  title = {Probable Inference},
  journal = {Journal of the American Statistical Association},
  year = {1927}
}
"""


def cell(code: str, options: str = "") -> str:
    return f"```{{code-cell}}\n{options}{code}\n```\n"


class TinyBook:
    """A book of a few pages; ``build`` runs ``python -m bookbuild`` on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.chapters: list[str] = []
        for name in ("_config.yml", "pyproject.toml", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, root / name)
        (root / "src").mkdir()
        (root / "src" / "tenphases").symlink_to(ROOT / "src" / "tenphases")
        shutil.copytree(ROOT / "book" / "assets", root / "book" / "assets")
        self.write("book/references.bib", BIBLIOGRAPHY)
        self.write("index.md", "# A tiny book\n")
        self.write("gallery/GALLERY_HEADER.rst", "Gallery\n=======\n\nAll of it.\n")
        self.write("gallery/one/GALLERY_HEADER.rst", "One\n---\n\nThe first.\n")
        self.script("plot_line", "print('drawn')\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def chapter(self, name: str, body: str, *, listed: bool = True) -> None:
        self.write(f"book/{name}.md", f"{HEADER}# Page {name}\n\n{body}")
        if listed and name not in self.chapters:
            self.chapters.append(name)

    def script(self, name: str, code: str, *, first_line: str = "") -> None:
        head = f'{first_line}"""\nA small script\n==============\n\nIt runs.\n"""\n\n'
        self.write(f"gallery/one/{name}.py", head + code)

    def toc(self) -> None:
        entries = "".join(f"  - file: book/{name}\n" for name in self.chapters)
        text = "format: jb-book\nroot: index\nchapters:\n"
        self.write("_toc.yml", f"{text}{entries}  - file: examples/index\n")

    def start(self, *arguments: str) -> subprocess.Popen:
        self.toc()
        env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", "bookbuild", *arguments],
            cwd=self.root,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def build(self, *arguments: str) -> tuple[int, str]:
        """Return the exit status and all that was printed."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output

    def interrupt_after(self, text: str, *arguments: str) -> tuple[int, str]:
        """Start a build, press Ctrl-C once it has printed a text; return its end."""
        process = self.start(*arguments)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if text in line:
                time.sleep(1.0)
                process.send_signal(signal.SIGINT)
                break
        rest, _ = process.communicate(timeout=60)
        return process.returncode, "".join(lines) + rest

    def html(self, name: str) -> str:
        path = self.root / "_build" / "html" / f"{name}.html"
        return path.read_text(encoding="utf-8")


@pytest.fixture
def tiny_book(tmp_path: Path) -> TinyBook:
    return TinyBook(tmp_path)
