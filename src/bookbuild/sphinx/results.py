"""The results that the engine has laid ready for this build."""

import json
import os
from pathlib import Path

from sphinx.util import logging

from bookbuild import PARTIAL, RESULTS

logger = logging.getLogger(__name__)


def path_of(root: Path, name: str) -> Path:
    return root / RESULTS / f"{name}.json"


def load(root: Path, name: str) -> dict | None:
    """Return a page's result, or None if it has none (it failed, or runs nothing)."""
    path = path_of(root, name)
    if not path.exists():
        return None
    return json.loads(path.read_text(encoding="utf-8"))


def report_missing(name: str) -> None:
    """Warn, and so fail the build, if a page is shown without its outputs."""
    if not os.environ.get(PARTIAL):
        logger.warning("the page has no outputs", location=name, type="tenphases")
