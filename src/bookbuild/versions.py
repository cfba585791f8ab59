"""Versions of installed packages: of a page's imports and all that they need."""

import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import (
    PackageNotFoundError,
    distributions,
    packages_distributions,
    requires,
    version,
)
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bookbuild.memory import remembered


@cache
def version_or_absent(package: str) -> str:
    known = _installed().get(canonicalize_name(package), "absent")
    return known or version(package)


@cache
def _installed() -> dict[str, str]:
    """Return the versions that the names of folders tell, empty where they do not.

    To parse the metadata of hundreds of packages would be a tenth of a build that
    has nothing to do.
    """
    found: dict[str, str] = {}
    for entry in _entries("*.*-info"):
        name, _, rest = entry.stem.partition("-")
        found.setdefault(canonicalize_name(name), rest.partition("-")[0])
    return found


def _entries(pattern: str) -> Iterator[Path]:
    """Yield what the folders that Python imports from tell of packages, in order."""
    for place in dict.fromkeys(Path(place or ".") for place in sys.path):
        if place.is_dir():
            yield from place.glob(pattern)


def all_versions() -> dict[str, str]:
    """Return the version of every installed package."""
    return {canonicalize_name(d.name): d.version for d in distributions()}


def versions_behind(modules: Iterable[str]) -> dict[str, str]:
    """Return the versions of the packages that hold the modules and of those that
    these packages require, directly or not. A module that is not installed counts
    as a package of its own name that is absent."""
    names = {name for module in modules for name in packages_of(module)}
    behind = frozenset().union(*(_behind(name) for name in names))
    return {name: version_or_absent(name) for name in behind}


@cache
def _behind(package: str) -> frozenset[str]:
    """Return the package's name, and those of all that it requires in the end."""
    waiting, found = [package], set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _required(name, version_or_absent(name))
    return frozenset(found)


@cache
def declared() -> frozenset[str]:
    """Return the packages that tenphases declares, those of its extras included."""
    lines = requires("tenphases") or []
    return frozenset(canonicalize_name(Requirement(line).name) for line in lines)


@cache
def packages_of(module: str) -> tuple[str, ...]:
    """Return the packages that hold a module, such as scikit-learn for sklearn."""
    if version_or_absent(module) != "absent":
        return (canonicalize_name(module),)
    names = _modules().get(module, [module])
    return tuple(canonicalize_name(name) for name in names)


@cache
def module_of(package: str) -> str:
    """Return the module by which a package is imported, such as sklearn."""
    held = [
        m for m in _modules() if not m.startswith("_") and package in packages_of(m)
    ]
    alike = package.replace("-", "_")
    return alike if alike in held or not held else min(held, key=len)


@cache
def _modules() -> dict[str, list[str]]:
    installed = sorted(f"{e} {e.stat().st_mtime_ns}" for e in _entries("*.*-info"))
    return _modules_in("\n".join(installed))


@remembered
def _modules_in(_installed: str) -> dict[str, list[str]]:
    return dict(packages_distributions())  # reads every package's list of files


@remembered
def _required(package: str, _version: str) -> list[str]:
    try:
        lines = requires(package) or []
    except PackageNotFoundError:
        return []
    parsed = (Requirement(line) for line in lines)
    return [
        canonicalize_name(r.name)
        for r in parsed
        if r.marker is None or r.marker.evaluate({"extra": ""})
    ]
