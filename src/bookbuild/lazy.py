"""Packages that import a module when a name of it is first asked for.

Such a package has ``_MODULES`` in its ``__init__.py``, which says what each module
has, and code that uses the package reaches the modules whose names it asks for.
"""

import ast
import re
from collections.abc import Iterator

from bookbuild.memory import remembered

IMPORTED = re.compile(r"\bimport\s+([\w, ]+)")
ATTRIBUTE = re.compile(r"\.(\w+)")


@remembered
def lazy_names(text: str) -> dict[str, str]:
    """Return the names that an ``__init__.py`` offers lazily, each with its module;
    none if it is not lazy."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets) == "_MODULES":
            modules = ast.literal_eval(node.value)
            return {name: module for module, names in modules.items() for name in names}
    return {}


@remembered
def asked_names(text: str, package: str) -> list[str]:
    """Return every name that the code may ask of a package: what it imports, what it
    writes behind a dot, also in strings of code. ``=d`` says that it calls a part of
    the package ``d``, and ``*d`` that it asks what has this name for computed names.
    """
    return sorted(set(_asked(ast.parse(text), package)))


def asked_of(offered: dict[str, str], asked: set[str]) -> set[str]:
    """Return the modules that code needs that asks for these names."""
    computed = {name[1:] for name in asked if name[0] == "*"}
    if computed & {name[1:] for name in asked if name[0] == "="}:
        return set(offered.values())
    return {offered[name] for name in asked & {*offered}}


def _asked(tree: ast.AST, package: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.name
                origin = getattr(node, "module", None) or alias.name
                if origin.partition(".")[0] == package or getattr(node, "level", 0):
                    yield f"={alias.asname or alias.name.partition('.')[0]}"
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and "import" in str(node.value):
            yield from ATTRIBUTE.findall(str(node.value))
            for names in IMPORTED.findall(str(node.value)):
                yield from re.findall(r"\w+", names)
        elif isinstance(node, ast.Call):
            yield from _asked_by_call(node)


def _asked_by_call(node: ast.Call) -> Iterator[str]:
    """Yield what ``getattr(d, name)`` or ``vars(d)`` asks for."""
    name = getattr(node.func, "id", "")
    if name == "getattr" and isinstance(node.args[1], ast.Constant):
        yield str(node.args[1].value)
    elif name in ("getattr", "vars", "dir") and node.args:
        yield f"*{ast.unparse(node.args[0]).partition('.')[0]}"
