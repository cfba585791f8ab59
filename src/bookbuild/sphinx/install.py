"""What a download needs before it runs: its first cell, and the package's wheel."""

import json
import re
from collections.abc import Container
from importlib.metadata import requires, version

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bookbuild.versions import module_of

FOLDER = "downloads"
INSTALL = """\
# Installs what this page needs and is missing: {names}.
# A torch that is here already, such as Colab's, is left in place.
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec

needed = {modules}
if missing := [name for name in needed if find_spec(name) is None]:
    print("installing", *missing, "and what they need")
    here = [name for name in ("torch", "torchvision") if find_spec(name)]
    kept = [f"{{name}}=={{version(name)}}" for name in here]
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    source = "{source}"
    subprocess.run([*pip, f"tenphases[{extras}] @ {{source}}", *kept], check=True)\
"""
UNKNOWN = """\
# This page needs {names}. If an import fails, download
# {wheel} from the site, then run
#     pip install "{wheel}[{extras}]"
import tenphases  # noqa: F401\
"""
DATA = "data"  # the extra that tenphases needs for its data, on any page
NOTEBOOK = "notebook"  # what whoever runs the page as a notebook has already


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
        if extra and extra[1] != NOTEBOOK and name in packages:
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
    names = ["tenphases", *(name for some in extras.values() for name in some)]
    known = {
        "names": ", ".join(names),
        "modules": json.dumps([module_of(name) for name in names]),
        "extras": ",".join(extras),
        "wheel": wheel_name(),
        "source": f"{site_url}{FOLDER}/{wheel_name()}",
    }
    return (INSTALL if site_url else UNKNOWN).format(**known)
