"""A tiny book in a temporary folder, built by the real build."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
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
        for name in ("assets", "templates"):
            shutil.copytree(ROOT / "book" / name, root / "book" / name)
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

    def copy_package(self) -> Path:
        """Give the book a ``tenphases`` of its own, which a test may edit."""
        package = self.root / "src" / "tenphases"
        package.unlink()
        shutil.copytree(ROOT / "src" / "tenphases", package)
        return package

    def commit(self) -> None:
        """Commit everything to a git repository in the book's folder."""
        self.toc()
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "-C", "."]
        for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
            subprocess.run([*git, *command], cwd=self.root, check=True)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen:
        self.toc()
        path = os.pathsep.join([str(self.root / "src"), str(ROOT / "src")])
        env = {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **environment}
        return subprocess.Popen(
            [sys.executable, "-m", "bookbuild", *arguments],
            cwd=self.root,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def build(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Return the exit status and all that was printed."""
        process = self.start(*arguments, **environment)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output

    def interrupt_after(self, text: str, *arguments: str) -> tuple[int, str]:
        """Start a build, press Ctrl-C once it has printed a text; return its end."""
        return self.end_after(text, signal.SIGINT, *arguments)

    def end_after(self, text: str, number: int, *arguments: str) -> tuple[int, str]:
        """Send a signal to a build a second after it has printed a text."""
        process = self.start(*arguments)
        printed = read_until(process, text)
        time.sleep(1.0)
        process.send_signal(number)
        rest, _ = process.communicate(timeout=60)
        return process.returncode, printed + rest

    def outputs(self, name: str) -> str:
        """Return the text that a page's cells printed, as the site shows it."""
        path = self.root / "_build" / "results" / f"{name}.json"
        cells = json.loads(path.read_text(encoding="utf-8"))["outputs"]
        return "".join(output.get("text", "") for cell in cells for output in cell)

    def html(self, name: str) -> str:
        path = self.root / "_build" / "html" / f"{name}.html"
        return path.read_text(encoding="utf-8")


def read_until(process: subprocess.Popen, text: str) -> str:
    """Return what a process prints up to and with the first line with a text."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"{text!r} was never printed:\n{''.join(lines)}")


def ran(output: str) -> set[str]:
    """Return the names of the pages that a build says it has run."""
    return set(re.findall(r"^  ran +(\S+)", output, re.M))
