"""Which files of a package a piece of code reaches by import."""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path


def files_reached(sources: Iterable[str], package: Path) -> set[Path]:
    """Return the package's files that the sources import, directly or not.

    Importing ``p.a.b`` runs ``p/__init__.py`` and ``p/a/__init__.py`` first, so
    they and what they import are reached too. Files that are not Python (a style,
    recorded measurements) are always reached: nothing in the syntax says who reads
    them. A module that imports by computed names reaches its whole folder. A source
    that does not parse, such as one with IPython magics, reaches everything.
    """
    every = {f for f in package.rglob("*") if f.is_file() and f.suffix != ".pyc"}
    reached = {file for file in every if file.suffix != ".py"}
    waiting: set[Path] = set()
    for source in sources:
        try:
            waiting |= set(_imported(ast.parse(source), package))
        except SyntaxError:
            return every
    while waiting:
        file = waiting.pop()
        if file in reached:
            continue
        reached.add(file)
        tree = ast.parse(file.read_text(encoding="utf-8"))
        waiting |= set(_imported(tree, package))
        if _imports_by_computed_name(tree):
            waiting |= {f for f in file.parent.glob("*.py")}
    return reached


def _imported(tree: ast.AST, package: Path) -> Iterator[Path]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files_of(alias.name, package)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from _files_of(node.module, package)
            for alias in node.names:  # the name may be a module, too
                yield from _files_of(f"{node.module}.{alias.name}", package)


def _files_of(module: str, package: Path) -> Iterator[Path]:
    """Yield the file of a module of the package, and of each package around it."""
    first, *rest = module.split(".")
    if first != package.name:
        return
    path = package
    yield path / "__init__.py"
    for name in rest:
        path /= name
        if (path / "__init__.py").exists():
            yield path / "__init__.py"
        elif path.with_suffix(".py").exists():
            yield path.with_suffix(".py")


def _imports_by_computed_name(tree: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("import_module", "importlib.import_module")
        and not (node.args and isinstance(node.args[0], ast.Constant))
        for node in ast.walk(tree)
    )
