"""From stored results to the site: configuration, wheel, Sphinx."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

from bookbuild import OUTPUT, PARTIAL, RESULTS, SITE
from bookbuild.address import colab_url, repository, site_url
from bookbuild.files import hash_files, write_atomically
from bookbuild.pages import Page
from bookbuild.versions import version_or_absent

WHEEL_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src/tenphases")
SITE_SOURCES = (
    *("index.md", "book", "gallery", "_config.yml", "_toc.yml", "constraints.txt"),
    *("src", "pyproject.toml", str(RESULTS)),
)
HERE = Path(__file__).parent
RENDERERS = (
    *("sphinx", "myst-nb", "sphinx-gallery", "sphinx-book-theme"),
    *("pydata-sphinx-theme", "sphinx-mathjax-offline", "mini-racer", "tinycss2"),
)


def configure(root: Path) -> None:
    """Write conf.py, which Sphinx reads, from Jupyter Book's own two files."""
    stamp = root / OUTPUT / "configured.sha256"
    digest = hash_files(root, "_config.yml", "_toc.yml")
    if (root / "conf.py").exists() and _is(stamp, digest):
        return
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "config", "sphinx", "."]
    subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
    write_atomically(stamp, digest)


def publish(results: dict[str, dict], pages: list[Page], folder: Path) -> None:
    """Lay every page's result where the Sphinx extension reads it.

    A page without a result, because it failed, has no file.
    """
    wanted = set()
    for page in pages:
        path = folder / f"{page.name}.json"
        wanted.add(path)
        if page.name not in results:
            path.unlink(missing_ok=True)
            continue
        text = json.dumps(results[page.name])
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text)
    for path in folder.rglob("*.json") if folder.exists() else ():
        if path not in wanted:
            path.unlink()


def build_wheel(root: Path) -> None:
    """Build the wheel that the downloads install, if its sources changed."""
    folder = root / OUTPUT / "wheel"
    stamp = folder / "sources.sha256"
    digest = hash_files(root, *WHEEL_SOURCES)
    if _is(stamp, digest):
        return
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(
        [*command, "-d", str(folder)], cwd=root, check=True, capture_output=True
    )
    stamp.write_text(digest)


class Renderer:
    """Sphinx, in a process that may be started before there is a thing to render:
    importing it takes seconds, which pass while the pages are read and run.

    In a ``partial`` build some pages may have no outputs.
    """

    def __init__(self, root: Path, *, partial: bool) -> None:
        self.root = root
        self.partial = partial
        self.stamp = root / OUTPUT / "rendered.sha256"
        # as it is now: Sphinx imports it while pages run, and it may be edited then
        self.renderer = [
            hash_files(HERE, "sphinx", "myst.py", "pages.py"),
            *(version_or_absent(name) for name in RENDERERS),
        ]
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._process is not None:
            self._process.stdin.close()  # where it still waits, this ends it
            self._process.wait()

    def prepare(self) -> None:
        """Start Sphinx, unless there is nothing to render as things stand now."""
        if not self._current(self._inputs()):
            self._start()

    def render(self) -> bool:
        """Render; return whether Sphinx ended without an error or a warning.

        Where nothing that it reads has changed since it last succeeded, it need not
        run.
        """
        digest = self._inputs()
        if self._current(digest):
            print("rendering: nothing has changed", flush=True)
            return True
        if self._renderer_of_last_time() != self.renderer:
            # Sphinx would keep what other code has made of a page. And if the last
            # rendering did not end well, it would warn of no page that it need not
            # read again, so the same warning would pass unseen.
            shutil.rmtree(self.root / OUTPUT / ".doctrees", ignore_errors=True)
        self.stamp.unlink(missing_ok=True)
        print("rendering", flush=True)
        self._start()
        self._process.communicate("render\n")
        if self._process.returncode != 0:
            return False
        write_atomically(self.stamp, digest)
        return True

    def _start(self) -> None:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "bookbuild.sphinx"],
                stdin=subprocess.PIPE,
                cwd=self.root,
                env={**os.environ, PARTIAL: "1" if self.partial else ""},
                text=True,
            )

    def _renderer_of_last_time(self) -> list[str] | None:
        """Return what rendered the site, or None if it did not end well."""
        if not self.stamp.exists():
            return None
        return json.loads(self.stamp.read_text(encoding="utf-8")).get("renderer")

    def _current(self, digest: str) -> bool:
        return _is(self.stamp, digest) and (self.root / SITE / "index.html").exists()

    def _inputs(self) -> str:
        """Return a hash of all that the rendered site depends on."""
        known = {
            "files": hash_files(self.root, *SITE_SOURCES),
            "renderer": self.renderer,
            "site": [repository(), site_url(), colab_url(repository())],
            "partial": self.partial,
        }
        return json.dumps(known)


def _is(stamp: Path, digest: str) -> bool:
    return stamp.exists() and stamp.read_text(encoding="utf-8") == digest
