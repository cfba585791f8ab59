"""The results that the engine has laid ready for this build."""

import json
from pathlib import Path

from bookbuild import RESULTS


def path_of(root: Path, name: str) -> Path:
    return root / RESULTS / f"{name}.json"


def load(root: Path, name: str) -> dict | None:
    """Return a page's result, or None if it has none (it failed, or runs nothing)."""
    path = path_of(root, name)
    if not path.exists():
        return None
    return json.loads(path.read_text(encoding="utf-8"))
