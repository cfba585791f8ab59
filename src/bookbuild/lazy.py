"""Packages that import a module when a name of it is first asked for.

Such a package has ``_MODULES`` in its ``__init__.py``, which says what each module
has, and code that uses the package reaches the modules whose names it asks for.
"""

import ast
import re
from collections.abc import Iterator

from bookbuild.memory import remembered

ANYTHING = "*"  # the code computes the names that it asks for
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
def asked_names(text: str) -> list[str]:
    """Return every name that the code may ask of a package: what it imports, what it
    writes behind a dot, also in strings of code; ``*`` if it may ask for any."""
    return sorted(set(_asked(ast.parse(text))))


def _asked(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and "import" in str(node.value):
            yield from ATTRIBUTE.findall(str(node.value))
            for names in IMPORTED.findall(str(node.value)):
                yield from re.findall(r"\w+", names)
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "id", "")
            if name == "vars":
                yield ANYTHING
            elif name == "getattr" and len(node.args) > 1:
                asked = node.args[1]
                known = isinstance(asked, ast.Constant)
                yield str(asked.value) if known else ANYTHING
