"""What pure functions of text returned, remembered from build to build.

Most pages are as they were at the last build. Reading all of them again, with the
parsers of MyST and of Python, would be most of what an edit of one page costs.
"""

import json
import platform
import sys
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bookbuild.files import digest_of, read_checked, write_checked

FORMAT = 1
PARSERS = ("myst-nb", "myst-parser", "markdown-it-py", "sphinx-gallery")

_known: dict[str, Any] = {}  # from earlier builds
_asked: dict[str, Any] = {}  # in this one
_answers: dict[tuple, Any] = {}  # the same, without a digest of long arguments


def remembered(function: Callable) -> Callable:
    """Remember what a function of strings returns, which JSON must be able to hold.

    A result is used again for the same arguments, as long as the function's module
    and the parsers are the same.
    """

    @wraps(function)
    def ask(*arguments: str) -> Any:
        question = (function, *arguments)
        if question not in _answers:
            _answers[question] = look_up(*arguments)
        return _answers[question]

    def look_up(*arguments: str) -> Any:
        made_by = [_digest_of_module(function.__module__), function.__name__]
        key = digest_of(json.dumps([*made_by, *arguments]))
        if key not in _asked:
            _asked[key] = _known[key] if key in _known else function(*arguments)
        return _asked[key]

    return ask


def load(path: Path) -> None:
    """Recall what earlier builds knew; a damaged file counts as none."""
    _known.update(read_checked(path, FORMAT) or {})


def save(path: Path) -> None:
    """Keep what was asked for since the start; the rest is forgotten."""
    if _asked.keys() != _known.keys():
        write_checked(path, _asked, FORMAT)


def _digest_of_module(name: str) -> str:
    if name not in _modules:
        code = Path(sys.modules[name].__file__).read_text(encoding="utf-8")
        versions = [version(package) for package in PARSERS]
        _modules[name] = digest_of(code + platform.python_version() + str(versions))
    return _modules[name]


_modules: dict[str, str] = {}
