"""From stored results to the site: configuration, wheel, Sphinx."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from bookbuild import OUTPUT, RESULTS, SITE
from bookbuild.keys import hash_files
from bookbuild.pages import Page
from bookbuild.sphinx import site
from bookbuild.sphinx.results import PARTIAL
from bookbuild.store import write_atomically
from bookbuild.versions import version_or_absent

WHEEL_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "src/tenphases")
SITE_SOURCES = (
    *("index.md", "book", "gallery", "_config.yml", "_toc.yml", "constraints.txt"),
    *("src", "pyproject.toml", str(RESULTS)),
)
RENDERERS = ("sphinx", "myst-nb", "sphinx-gallery", "sphinx-book-theme")


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


def render(root: Path, *, partial: bool) -> bool:
    """Run Sphinx; return whether it ended without an error or a warning.

    Where nothing that it reads has changed since it last succeeded, it need not
    run. In a ``partial`` build some pages may have no outputs.
    """
    stamp = root / OUTPUT / "rendered.sha256"
    digest = _inputs(root, partial)
    if _is(stamp, digest) and (root / SITE / "index.html").exists():
        print("rendering: nothing has changed", flush=True)
        return True
    stamp.unlink(missing_ok=True)
    command = [
        *[sys.executable, "-m", "sphinx", "-b", "html", "-q"],
        *["-W", "-n", "--keep-going", "-j", str(os.cpu_count() or 1)],
        *["-d", str(OUTPUT / ".doctrees"), ".", str(SITE)],
    ]
    print("rendering", flush=True)
    env = {**os.environ, PARTIAL: "1" if partial else ""}
    done = subprocess.run(command, cwd=root, check=False, env=env)
    if done.returncode != 0:
        # Sphinx warns of a page only when it reads it; without this, the same
        # warning would pass unseen at the next build
        (root / OUTPUT / ".doctrees" / "environment.pickle").unlink(missing_ok=True)
        return False
    stamp.write_text(digest)
    return True


def _inputs(root: Path, partial: bool) -> str:
    """Return a hash of all that the rendered site depends on."""
    repository = site.repository()
    known = {
        "files": hash_files(root, *SITE_SOURCES),
        "versions": [version_or_absent(name) for name in RENDERERS],
        "site": [repository, site.site_url(), site.colab_url(repository)],
        "partial": partial,
    }
    return json.dumps(known)


def _is(stamp: Path, digest: str) -> bool:
    return stamp.exists() and stamp.read_text(encoding="utf-8") == digest
