"""The key of a page's result: a hash of all that the result depends on."""

import hashlib
import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bookbuild.imports import files_reached
from bookbuild.pages import Page

ENGINE = 6  # raise it when the engine stores or runs pages differently
PACKAGES = (
    *("torch", "torchvision", "numpy", "matplotlib", "matplotlib-inline", "ipython"),
    *("mlxtend", "scikit-learn", "scikit-image", "bokeh_sampledata", "pandas"),
)


def page_keys(pages: list[Page], root: Path) -> dict[str, str]:
    """Return each page's key by the page's name.

    A page depends on its own cells, on the files of ``tenphases`` that it reaches by
    import, on the versions of what it may import, on the profile, and on the pages
    that it requires. Prose is in no key.
    """
    common = {
        "engine": ENGINE,
        "python": platform.python_version(),
        "versions": {name: version_or_absent(name) for name in PACKAGES},
        "profile": profile(),
    }
    by_stem = {page.stem: page for page in pages}
    keys: dict[str, str] = {}

    def key(page: Page) -> str:
        if page.name not in keys:
            sources = [cell.source for cell in page.cells]
            reached = files_reached(sources, root / "src" / "tenphases")
            own = {
                "package": hash_files(root, *sorted(map(str, reached))),
                "cells": [[cell.source, sorted(cell.tags)] for cell in page.cells],
                "requires": [key(by_stem[stem]) for stem in page.requires],
            }
            text = json.dumps({**common, **own}, sort_keys=True)
            keys[page.name] = hashlib.sha256(text.encode()).hexdigest()
        return keys[page.name]

    for page in pages:
        key(page)
    return keys


def profile() -> dict[str, str]:
    """Return what the environment asks for and which accelerators are in sight.

    Finding out by importing torch would cost every build seconds, so this looks
    at the device files that the drivers make.
    """
    device = os.environ.get("TENPHASES_DEVICE", "auto").lower()
    if device == "auto":
        cuda = os.environ.get("CUDA_VISIBLE_DEVICES") != "" and (
            Path("/dev/nvidia0").exists()
        )
        apple = platform.system() == "Darwin" and platform.machine() == "arm64"
        device = "cuda" if cuda else "mps" if apple else "cpu"
    return {
        "device": device,
        "data": os.environ.get("TENPHASES_DATA", "bundled").lower(),
    }


def hash_files(root: Path, *places: str) -> str:
    """Return a hash of the names and contents of files and folders below a root."""
    digest = hashlib.sha256()
    for place in places:
        path = root / place
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inside:
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(file.relative_to(root).as_posix().encode() + b"\0")
                digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


def version_or_absent(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
