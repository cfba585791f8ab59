"""What a download needs before it runs: its first cell, and the package's wheel."""

import re
from collections.abc import Container
from importlib.metadata import requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FOLDER = "downloads"
INSTALL = """\
# This page needs the book's package{too}; installed once, it stays.
import importlib.util
import subprocess
import sys

if any(importlib.util.find_spec(name) is None for name in {modules}):
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "{requirement}"], check=True)\
"""
UNKNOWN = """\
# This page needs the book's package, tenphases{too}. If an import fails: download
# the file {wheel} from the site, then run
#     pip install "{wheel}[{extras}]"
import tenphases  # noqa: F401\
"""
DATA = "data"  # the extra that tenphases needs for its data, on any page


def wheel_name() -> str:
    return f"tenphases-{version('tenphases')}-py3-none-any.whl"


def extras_of(packages: Container[str]) -> dict[str, list[str]]:
    """Return the extras of tenphases that a page needs, each with those packages
    in it that the page imports."""
    found: dict[str, list[str]] = {DATA: []}
    for line in requires("tenphases"):
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        extra = re.search(r"extra == ['\"](\w+)['\"]", str(requirement.marker))
        if extra and name in packages:
            found.setdefault(extra[1], []).append(name)
    return found


def used_by(result: dict) -> set[str]:
    """Return the packages that a page imports, or whose files its loaders read."""
    return {*result["versions"], *result["named"]}


def install_cell(site_url: str, packages: Container[str] = ()) -> str:
    """Return the code that makes a download run where nothing is installed.

    ``packages`` are those that the page uses.
    """
    extras = extras_of(packages)
    names = [name for extra, some in extras.items() if extra != DATA for name in some]
    known = {
        "too": f" and {', '.join(names)}" if names else "",
        "modules": repr(("tenphases", *names)),
        "extras": ",".join(extras),
    }
    if not site_url:
        return UNKNOWN.format(wheel=wheel_name(), **known)
    source = f"{site_url}{FOLDER}/{wheel_name()}"
    requirement = f"tenphases[{known['extras']}] @ {source}"
    return INSTALL.format(requirement=requirement, **known)
