"""Which pages a pull request touches: those whose recipe it changes."""

import io
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

from bookbuild import BuildError
from bookbuild.keys import Recipes
from bookbuild.pages import Page, read_all

PARTS = ("index.md", "book", "gallery", "src", "constraints.txt")
ENGINE = re.compile(r"^ENGINE = (\d+)", re.M)


def touched_since(base: str, root: Path, pages: list[Page]) -> list[Page]:
    """Return the pages whose results the changes since a commit may alter.

    What counts is the point where this branch left ``base``, and the files as they
    are now, committed or not. A version counts as changed if ``constraints.txt``
    pins another one. Raises BuildError if git does not know the commit.
    """
    commit = _git(root, "merge-base", base, "HEAD").decode().strip()
    with tempfile.TemporaryDirectory(prefix="base-") as name:
        old = Path(name)
        there = _git(root, "ls-tree", "--name-only", commit).decode().split()
        parts = [part for part in PARTS if part.split("/")[0] in there]
        archive = _git(root, "archive", commit, "--", *parts)
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(old, filter="data")
        if _engine(old) != _engine(root):
            return pages
        return _different(pages, root, old)


def _different(pages: list[Page], root: Path, old: Path) -> list[Page]:
    was, now = _pins(old), _pins(root)

    def version_then(name: str, installed: str) -> str:
        same = was.get(name) == now.get(name)
        return installed if same else was.get(name, "absent")

    new = Recipes(pages, root)
    old_pages = read_all(old)
    before = Recipes(old_pages, old, version_of=version_then)
    keys = {page.name: before.of(page).key for page in old_pages}
    return [page for page in pages if new.of(page).key != keys.get(page.name)]


def _pins(root: Path) -> dict[str, str]:
    path = root / "constraints.txt"
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(";")[0].strip().partition("==") for line in lines)
    return {name: version for name, equal, version in pairs if equal}


def _engine(root: Path) -> str | None:
    path = root / "src" / "bookbuild" / "keys.py"
    found = ENGINE.search(path.read_text(encoding="utf-8")) if path.exists() else None
    return found and found[1]


def _git(root: Path, *arguments: str) -> bytes:
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise BuildError("--changed needs git; install it, or build all.") from error
    if done.returncode != 0:
        message = done.stderr.decode().strip().splitlines()[-1:]
        raise BuildError(
            f"git {arguments[0]} failed ({''.join(message)}); name a commit or branch "
            "that this clone has, such as origin/main."
        )
    return done.stdout
