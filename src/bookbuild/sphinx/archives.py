"""Beside the single downloads: zips of notebooks, and an index that pip can read.

The zips hold each phase's notebooks, its chapters' and its gallery's, and those of
the whole book. The index (PEP 503) offers the wheel under its name, so that
``pip install --extra-index-url SITE/downloads/simple tenphases`` finds it, hash and
all, before any other index carries it.
"""

import hashlib
import re
import shutil
import zipfile
from collections import defaultdict
from pathlib import Path

from bookbuild import OUTPUT

ALL = "ten-phases.zip"
PHASE = re.compile(r"(?:book|examples)/(\d\d)[-_]")
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the same notebooks give the same zip
PAGE = "<!DOCTYPE html><title>{title}</title><a href='{link}'>{text}</a>\n"


def phase_zip(number: str) -> str:
    """Return the name of the zip of a phase such as ``04``."""
    return f"phase-{number}.zip"


def write_wheel(root: Path, folder: Path) -> None:
    """Lay the wheel, and an index that names it, beside the notebooks of a folder."""
    for wheel in (root / OUTPUT / "wheel").glob("*.whl"):
        shutil.copy(wheel, folder / wheel.name)
        _write_index(wheel, folder / "simple")


def write_zips(folder: Path) -> None:
    """Write the zips of the notebooks of a folder, and delete those of none."""
    wanted = defaultdict(list)
    for path in sorted(folder.rglob("*.ipynb")):
        name = path.relative_to(folder).as_posix()
        wanted[ALL].append(name)
        if match := PHASE.match(name):
            wanted[phase_zip(match[1])].append(name)
    for old in folder.glob("*.zip"):
        if old.name not in wanted:
            old.unlink()
    for name, notebooks in wanted.items():
        _write_zip(folder / name, folder, notebooks)


def _write_zip(path: Path, folder: Path, names: list[str]) -> None:
    draft = path.with_suffix(".part")
    with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, (folder / name).read_bytes())
    draft.replace(path)


def _write_index(wheel: Path, folder: Path) -> None:
    own = folder / "tenphases"
    own.mkdir(parents=True, exist_ok=True)
    front = PAGE.format(title="Simple index", link="tenphases/", text="tenphases")
    (folder / "index.html").write_text(front)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    link = f"../../{wheel.name}#sha256={digest}"
    page = PAGE.format(title="tenphases", link=link, text=wheel.name)
    (own / "index.html").write_text(page)
