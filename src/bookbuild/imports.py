"""What a piece of code reaches by import: files of one package, and other packages."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bookbuild.lazy import asked_names, asked_of, lazy_names
from bookbuild.memory import remembered
from bookbuild.versions import declared, packages_of

# code inside a string, such as a script that a page writes and then starts
IMPORT_LINE = re.compile(r"^[ \t]*((?:from|import)[ \t]+[\w., \t]+)$", re.M)


@dataclass
class Reached:
    """Files of the package, the first names of all other modules imported, and those
    of modules that the package names in strings and may import, or read, later."""

    files: set[Path] = field(default_factory=set)
    modules: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)  # names, perhaps of a lazy package
    everything: bool = False  # a source could not be read: assume the worst

    def add(self, other: "Reached") -> None:
        for part in ("files", "modules", "named", "asked"):
            getattr(self, part).update(getattr(other, part))


def reach(sources: Iterable[str], package: Path) -> Reached:
    """Return what the sources import, directly or through the package's files.

    Importing ``p.a.b`` runs ``p/__init__.py`` and ``p/a/__init__.py`` first, so
    they and what they import are reached too. With a module are reached the files
    beside it that are not Python (a style, recorded measurements): nothing in the
    syntax says who reads them. A module that imports by computed names reaches its
    whole folder; a lazy package (``bookbuild.lazy``), what it is asked for. Loaders
    hand on names of modules as strings: those of packages that tenphases declares
    count as named. A source that does not parse, such as one with IPython magics,
    reaches everything.
    """
    every = frozenset(
        f for f in package.rglob("*") if f.is_file() and f.suffix != ".pyc"
    )
    reached = Reached()
    try:
        for source in sources:
            reached.add(_imports_of(source, package, None, every))
    except SyntaxError:
        return Reached(set(every), reached.modules, reached.named, everything=True)
    waiting = reached.files | _asked_for(reached, every)
    reached.files = set()
    while waiting:
        file = waiting.pop()
        if file not in reached.files:
            reached.files.add(file)
            found = _imports_of(file.read_text(encoding="utf-8"), package, file, every)
            reached.modules |= found.modules
            reached.named |= found.named
            waiting |= found.files | _asked_for(found, every)
    folders = {file.parent for file in reached.files}
    reached.files |= {f for f in every if f.suffix != ".py" and f.parent in folders}
    return reached


def _asked_for(found: Reached, every: frozenset[Path]) -> set[Path]:
    """Return the modules that code asks lazy packages for, which it imports."""
    files = set()
    for init in found.files:
        if init.name == "__init__.py":
            offered = lazy_names(init.read_text(encoding="utf-8"))
            names = asked_of(offered, found.asked)
            files |= {init.with_name(f"{name}.py") for name in names}
    return files & every


@cache  # most pages reach the same files
def _imports_of(
    text: str, package: Path, file: Path | None, every: frozenset[Path]
) -> Reached:
    """Return what the code itself imports.

    ``every`` are the package's files; ``file`` is the one with this code, None for
    a page.
    """
    # the package in which relative imports start; a page is in none
    around = file.parent.relative_to(package.parent).as_posix() if file else ""
    names, words, computed = _parse(text, package.name, around)
    found = Reached(asked=set(asked_names(text, package.name)))
    for name in names:
        first = name.partition(".")[0]
        if first == package.name:
            found.files.update(_files_of(name, package, every))
        elif first not in sys.stdlib_module_names:
            found.modules.add(first)
    if file is not None:
        found.named = {word for word in words if declared() & {*packages_of(word)}}
        if computed and not lazy_names(text):
            beside = (f for f in every if f.parent == file.parent)
            found.files.update(f for f in beside if f.suffix == ".py")
    return found


@remembered
def _parse(text: str, package: str, around: str) -> tuple[list[str], list[str], bool]:
    """Return the names that the code imports, the first names of all strings that
    look like a module's, and whether it imports by computed names."""
    tree = ast.parse(text)
    names = sorted(set(_imported_names(tree, package, around)))
    return names, sorted(set(_module_words(tree))), _imports_by_computed_name(tree)


def _module_words(tree: ast.AST) -> Iterator[str]:
    strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    for text in strings:
        if isinstance(text, str) and re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", text):
            yield text.partition(".")[0]


def _imported_names(tree: ast.AST, package: str, around: str) -> Iterator[str]:
    """Yield the full name of each module that the code may import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, around)
            yield module
            # what is imported from a module may be a module, too
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif _is_import_module(node):
            if isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            if re.fullmatch(rf"{package}(\.\w+)*", node.value):
                yield node.value  # files("package.folder") and the like
            yield from _names_in_text(node.value, package, around)


def _names_in_text(text: str, package: str, around: str) -> Iterator[str]:
    if "import" not in text:
        return
    for line in IMPORT_LINE.findall(text):
        try:
            tree = ast.parse(line.strip())
        except SyntaxError:  # prose that begins like an import
            continue
        yield from _imported_names(tree, package, around)


def _absolute(node: ast.ImportFrom, around: str) -> str:
    """Return the module of a ``from`` import, relative ones resolved."""
    module = node.module or ""
    if node.level == 0 or not around:
        return module
    parts = around.split("/")
    parts = parts[: len(parts) - (node.level - 1)]
    return ".".join((*parts, module) if module else parts)


def _files_of(module: str, package: Path, every: frozenset[Path]) -> Iterator[Path]:
    """Yield the file of a module of the package, and of each package around it."""
    path = package
    yield path / "__init__.py"
    for name in module.split(".")[1:]:
        path /= name
        if path / "__init__.py" in every:
            yield path / "__init__.py"
        elif path.with_suffix(".py") in every:
            yield path.with_suffix(".py")


def _imports_by_computed_name(tree: ast.AST) -> bool:
    return any(
        _is_import_module(node) and not isinstance(node.args[0], ast.Constant)
        for node in ast.walk(tree)
    )


def _is_import_module(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and node.args):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", None))
    return name in ("import_module", "__import__")
